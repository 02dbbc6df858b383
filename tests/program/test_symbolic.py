"""Programs as mathematics, against SymPy's own derivatives."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import ProgramError

sympy = pytest.importorskip("sympy")


def two_layers(x, w, b, v):
    """A network 1 → 1 → 1 and its squared output."""
    return ag.square(v * ag.tanh(w * x + b))


NAMES = ["x", "w", "b", "v"]


@pytest.mark.parametrize("place", range(4))
def test_the_derivative_of_a_two_layer_network_is_sympys(place):
    program = ag.trace(two_layers)(0.5, 1.5, -0.2, 0.7)
    symbols = sympy.symbols(NAMES, real=True)
    theirs = sympy.diff(program.to_sympy(symbols), symbols[place])
    ours = program.grad(place).simplify().to_sympy(symbols)
    assert sympy.simplify(ours - theirs) == 0


def test_the_second_derivative_too():
    program = ag.trace(two_layers)(0.5, 1.5, -0.2, 0.7)
    symbols = sympy.symbols(NAMES, real=True)
    theirs = sympy.diff(program.to_sympy(symbols), symbols[1], symbols[0])
    ours = program.grad(1).grad(0).simplify().to_sympy(symbols)
    assert sympy.simplify(ours - theirs) == 0


def test_a_network_with_matrices_entry_by_entry():
    f = lambda x, w, v: ag.sum(ag.linear(ag.sigmoid(ag.linear(x, w)), v))
    program = ag.trace(f)(np.ones(2, "f"), np.ones((2, 2), "f"), np.ones((1, 2), "f"))
    value, gradient = program.to_sympy(["x", "w", "v"]), program.grad(1).to_sympy(["x", "w", "v"])
    for place in np.ndindex(2, 2):
        w = sympy.Symbol(f"w_{place[0]}_{place[1]}", real=True)
        assert sympy.simplify(gradient[place] - sympy.diff(value, w)) == 0


def test_latex_is_exactly_this():
    program = ag.trace(lambda x, y: ag.exp(x) / (y - 2.0) + ag.sqrt(x * y) ** 3)(1.0, 4.0)
    assert program.latex(["x", "y"]) == (r"\frac{e^{x}}{y - 2} + {\left(\sqrt{x \, y}\right)}^{3}")


def test_a_value_used_twice_gets_a_line():
    program = ag.trace(lambda x: ag.tanh(x) * ag.exp(ag.tanh(x)))(1.0).simplify()
    assert program.latex(["x"]) == (
        "\\begin{aligned}\nh_{1} &= \\tanh x \\\\\ny_{0} &= h_{1} \\, e^{h_{1}}\n\\end{aligned}"
    )


def test_what_has_no_symbolic_form_says_so():
    program = ag.trace(lambda x: ag.cumsum(x, 0))(np.ones(3, "f"))
    with pytest.raises(ProgramError, match="cumsum has no symbolic form"):
        program.to_sympy()
