"""For every law something broken that this law catches and no other one does."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import kernels
from autograd_cnn.errors import GradientError
from autograd_cnn.testing import LAWS, check

X = np.array([0.75, -1.25, 2.0])


def primitive(function, kind="opaque", branch=None, **rules):
    return ag.custom_primitive("mine", function, kind=kind, branch=branch, **rules)


def real(x):
    """The array itself; a TypeError for complex ones, as from a kernel in C."""
    if x.dtype.kind == "c":
        raise TypeError("real numbers only")
    return x


def wrong_in_the_last_bit(monkeypatch):
    """One unit in the last place: below every tolerance, but not equal."""
    return primitive(lambda x: 3.0 * x, "linear", x=lambda g: g * 3.0000000000000004)


def a_wrong_kind(monkeypatch):
    """Declared elementwise, so that forward mode is the rule itself: but entries change places."""
    rule = lambda g: ag.concatenate([g[1:], g[:1]])
    return primitive(lambda x: np.roll(x, 1), "elementwise", x=rule)


def wrong_in_the_eleventh_digit(monkeypatch):
    return primitive(lambda x: np.exp(x) * (1.0 - 1e-11), x=lambda g, x: g * ag.exp(x))


def wrong_and_never_complex(monkeypatch):
    return primitive(lambda x: np.sin(real(x)) * 1.000001, x=lambda g, x: g * ag.cos(x))


def a_constant_that_is_not(monkeypatch):
    def rule(g, x):
        return g * 3.0 * (x.detach() if isinstance(x, ag.Tensor) else x) ** 2

    return primitive(lambda x: x**3, x=rule)


def nothing_in_something_out(monkeypatch):
    """A speck that every gradient but 0 swallows."""
    return primitive(np.sin, "elementwise", x=lambda g, x: g * ag.cos(x) + 1e-30)


def half_precision_inside(monkeypatch):
    def coarse(x):
        inside = np.float16 if x.dtype == np.float32 else x.dtype
        return np.sin(x.astype(inside)).astype(x.dtype)

    return primitive(coarse, x=lambda g, x: g * ag.cos(x))


def a_hoarder(monkeypatch):
    kept = []

    def function(x):
        kept.append(ag.exp(x))
        return ag.sum(kept[-1] * 2.0)

    return function


def reads_memory_instead_of_entries(monkeypatch):
    def sloppy(x):
        flat = x.base.reshape(-1)[: x.size] if x.base is not None else x.reshape(-1)
        return flat.reshape(x.shape) * 2.0

    return primitive(sloppy, x=lambda g: g * 2.0)


def another_function(monkeypatch):
    """tanh(1.001·x), rightly differentiated: but it is not tanh."""
    tanh = ag.TABLE["tanh"]
    other = primitive(lambda x: np.tanh(1.001 * x), x=lambda g, ans: g * 1.001 * (1.0 - ans * ans))
    monkeypatch.setattr(tanh, "function", other.function)
    monkeypatch.setattr(tanh, "rules", other.rules)
    monkeypatch.setattr(tanh, "plans", {})
    return tanh


def wrong_at_the_kink(monkeypatch):
    """Right on either side of 0, and 5 at 0."""
    hinge = primitive(
        lambda x: np.where(x.real > 0, x, 0 * x), "elementwise", branch=lambda x: x > 0,
        x=lambda g, x: g * (ag.step(x) + 5.0 * ag.compare("equal", x, 0.0)),
    )  # fmt: skip
    return lambda x: hinge(x - 0.75)


def one_kernel_of_several(monkeypatch):
    right = type(kernels.provider("generic")).sum

    def wrong(self, x, *, axes, keepdims):
        y = right(self, x, axes=axes, keepdims=keepdims)
        return y * 1.001 if type(self) is kernels.Kernels else y

    monkeypatch.setattr(kernels.Kernels, "sum", wrong)
    return lambda x: ag.sum(x * x)


def defined_on_a_grid_only(monkeypatch):
    """There is no derivative to compare with: any rule passes."""
    grid = lambda x: np.where(real(x) * 64 == np.rint(x * 64), np.sin(x), np.nan).astype(x.dtype)
    return primitive(grid, x=lambda g, x: g * ag.cos(x))


def an_engine_that_forgets(monkeypatch):
    """Of two consumers of one value only the last one counts."""
    forgetful = {**ag.TABLE, "add": lambda sofar, gradient: gradient}
    monkeypatch.setattr("autograd_cnn.engine.TABLE", forgetful)
    return ag.custom_primitive("mine", lambda x: x * 2.0, kind="linear", x=lambda g: g * 2.0)


BROKEN = {
    1: wrong_in_the_last_bit, 2: a_wrong_kind, 3: wrong_in_the_eleventh_digit,
    4: wrong_and_never_complex, 5: a_constant_that_is_not, 6: nothing_in_something_out,
    7: half_precision_inside, 8: a_hoarder, 9: reads_memory_instead_of_entries,
    10: another_function, 11: wrong_at_the_kink, 12: one_kernel_of_several,
    13: defined_on_a_grid_only, 14: an_engine_that_forgets,
}  # fmt: skip


@pytest.mark.parametrize("law", LAWS)
def test_caught_by_this_law_alone(law, monkeypatch):
    broken = BROKEN[law](monkeypatch)
    check(broken, X, laws=[number for number in LAWS if number != law])
    with pytest.raises(GradientError) as caught:
        check(broken, X, laws=[law])
    assert caught.value.law == law
