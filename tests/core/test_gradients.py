"""Gradients: accumulation, seeds, cutting the graph, overriding rules, second and third order."""

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.errors import DTypeError, RuleError, ShapeError, TapeError


def variable(values, **options):
    return ag.tensor(np.asarray(values, "float64"), requires_grad=True, **options)


def test_gradients_add_up_over_uses_and_over_calls():
    x = variable([1.0, 2.0])
    ag.sum(x * x + x).backward()
    assert x.grad.tolist() == [3.0, 5.0]
    ag.sum(x).backward()
    assert x.grad.tolist() == [4.0, 6.0]


def test_an_operand_used_twice_in_one_operation_counts_twice():
    x = variable(3.0)
    (x * x).backward()
    assert float(x.grad) == 6.0


def test_a_vector_output_needs_a_seed_of_its_shape():
    x = variable([1.0, 2.0])
    with pytest.raises(ShapeError, match="shape 2 needs a seed"):
        (x * x).backward()
    with pytest.raises(ShapeError, match="the seed is 3, the output is 2"):
        (x * x).backward(np.ones(3))
    (x * x).backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 40.0]


def test_backward_off_the_tape_is_an_error():
    with pytest.raises(TapeError, match="not on the tape"):
        ag.tensor(1.0).backward()
    with pytest.raises(TapeError, match="not on the tape"):
        ag.gradients(variable(1.0) * 2, ag.tensor(1.0))


def test_the_graph_can_be_cut_anywhere():
    x = variable([1.0, 2.0])
    hidden = ag.exp(x)
    top = hidden * hidden
    y = ag.sum(top * x)
    by_hidden, by_top, by_x = ag.gradients(y, [hidden, top, x])
    e = np.exp([1.0, 2.0])
    assert np.allclose(by_hidden.numpy(), 2 * e * [1.0, 2.0])
    assert by_top.tolist() == [1.0, 2.0]
    assert np.allclose(by_x.numpy(), e * e + 2 * e * e * [1.0, 2.0])


def test_only_the_rules_on_the_way_to_the_targets_run():
    ran = []
    noisy = ag.custom_primitive(
        "noisy", lambda x, y: x * y, x=lambda g, y: ran.append("x") or g * y,
        y=lambda g, x: ran.append("y") or g * x,
    )  # fmt: skip
    x, w = variable(2.0), variable(3.0)
    ag.gradients(noisy(x, w), x)
    assert ran == ["x"]


def test_what_does_not_depend_has_a_gradient_of_zeros():
    x, unused = variable([1.0]), variable([[1.0, 2.0]])
    assert ag.gradients(ag.sum(x), unused).tolist() == [[0.0, 0.0]]


def test_a_seed_may_be_a_nested_list():
    x = variable([[1.0, 2.0], [3.0, 4.0]])
    assert ag.gradients(x * x, x, [[1, 0], [0, 10]]).tolist() == [[2.0, 0.0], [0.0, 80.0]]


def test_several_outputs_with_seeds():
    x = variable(2.0)
    assert float(ag.gradients([x * x, x * 3], x, seeds=[1.0, 10.0])) == 34.0


def test_leaves_are_cast_back_to_their_own_dtype():
    x = ag.tensor([1.0, 2.0], requires_grad=True)
    ag.sum(x * np.ones(2, "float64")).backward()
    assert x.grad.dtype == np.float32


def test_broadcast_operands_get_gradients_of_their_own_shape():
    x, y = variable(np.ones((2, 3))), variable(np.ones((3,)))
    z = variable(1.0)
    ag.sum(x * y + z).backward()
    assert x.grad.shape == (2, 3)
    assert y.grad.tolist() == [2.0, 2.0, 2.0]
    assert float(z.grad) == 6.0


def test_third_derivatives_come_for_free():
    x = variable([0.3, -1.2, 2.0])
    y = ag.sum(ag.exp(x * x))
    first = ag.gradients(y, x, create_graph=True)
    second = ag.gradients(ag.sum(first), x, create_graph=True)
    third = ag.gradients(ag.sum(second), x)
    v = x.numpy()
    e = np.exp(v * v)
    assert np.allclose(first.numpy(), 2 * v * e, rtol=1e-14)
    assert np.allclose(second.numpy(), (2 + 4 * v * v) * e, rtol=1e-14)
    assert np.allclose(third.numpy(), (12 * v + 8 * v**3) * e, rtol=1e-14)


def decomposed_norm(x, axes, eps):
    centred = x - ag.mean(x, axes, True)
    return centred / ag.sqrt(ag.mean(centred * centred, axes, True) + eps)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_third_derivatives_of_norms_agree_with_their_decomposition(kind):
    rng = np.random.default_rng(0)
    data, probe = rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3, 2))
    axes = (0, 2) if kind == "batch" else (1, 2)

    def fused(x):
        if kind == "batch":
            return ag.batch_norm(x, training=True, eps=0.1)
        return ag.layer_norm(x, (3, 2), eps=0.1)

    def derivative(f, order):
        x = variable(data)
        y = ag.sum(f(x) ** 3 * probe)
        for _ in range(order):
            y = ag.sum(ag.gradients(y, x, create_graph=True) * probe)
        return float(y)

    for order in (1, 2, 3):
        ours = derivative(fused, order)
        right = derivative(lambda x: decomposed_norm(x, axes, 0.1), order)
        assert ours == pytest.approx(right, rel=1e-11), order


def test_one_tape_gives_three_gradients_under_three_rules():
    x = variable([[1, -1, 5], [2, -5, -7], [-3, 2, 4]])
    seed = np.array([[-2, 3, -1], [6, -3, 1], [2, -1, 3]], "float64")
    y = ag.relu(x)
    plain = ag.gradients(y, x, seed)
    with ag.override(relu="deconvnet"):
        deconvnet = ag.gradients(y, x, seed)
    with ag.override(relu="guided"):
        guided = ag.gradients(y, x, seed)
    assert plain.tolist() == [[-2, 0, -1], [6, 0, 0], [0, -1, 3]]
    assert deconvnet.tolist() == [[0, 3, 0], [6, 0, 1], [2, 0, 3]]
    assert guided.tolist() == [[0, 0, 0], [6, 0, 0], [0, 0, 3]]
    assert ag.gradients(y, x, seed).tolist() == plain.tolist()


def test_a_rule_sees_the_sum_of_what_consumers_send_back():
    # y = 2·relu(x) − 3·relu(x): the sum −1 reaches the rule, so guided lets nothing through
    x = variable([1.0])
    hidden = ag.relu(x)
    y = ag.sum(2 * hidden - 3 * hidden)
    with ag.override(relu="guided"):
        assert ag.gradients(y, x).tolist() == [0.0]


def test_shared_relus_beside_a_linear_path():
    x = variable([1.0, -1.0])
    y = ag.sum(2 * ag.relu(x) - 3 * x)
    with ag.override("guided"):
        assert ag.gradients(y, x).tolist() == [-1.0, -3.0]
    with ag.override("deconvnet"):
        assert ag.gradients(y, x).tolist() == [-1.0, -1.0]


def test_an_override_may_ask_for_values_the_tape_did_not_keep():
    x, w = variable([2.0, 3.0]), ag.tensor(np.array([5.0, 7.0]))
    rule = {"multiply": lambda g, x: g * x}
    y = ag.sum(x * w)
    with ag.override(rule), pytest.raises(TapeError, match="reads x, which the tape did not keep"):
        ag.gradients(y, x)
    with ag.override(rule):
        y = ag.sum(x * w)
        assert ag.gradients(y, x).tolist() == [2.0, 3.0]
    assert ag.gradients(y, x).tolist() == [5.0, 7.0]


def test_an_override_reaches_the_input_it_names():
    x, w = variable(2.0), variable(3.0)
    y = x * w
    with ag.override({"multiply": {"y": lambda g: g * 100}}):
        by_x, by_w = ag.gradients(y, [x, w])
    assert (float(by_x), float(by_w)) == (3.0, 100.0)


def test_overrides_nest_and_the_inner_one_wins():
    x = variable([1.0])
    y = ag.sum(-ag.relu(x))
    with ag.override("guided"):
        with ag.override({"relu": lambda g: g * 7}):
            assert ag.gradients(y, x).tolist() == [-7.0]
        assert ag.gradients(y, x).tolist() == [0.0]


def test_unknown_rules_are_named():
    with pytest.raises(RuleError, match=r'no rules are named "nope"; registered: .*guided'):
        with ag.override(relu="nope"):
            pass
    with pytest.raises(RuleError, match='"guided" has no rule for exp'):
        with ag.override(exp="guided"):
            pass
    with pytest.raises(RuleError, match="multiply has inputs"):
        with ag.override({"multiply": {"z": lambda g: g}}):
            pass


def test_a_custom_primitive_in_one_line():
    cube = ag.custom_primitive("cube", lambda x: x**3, x=lambda g, x: g * 3 * x**2)
    x = variable([2.0, -1.0])
    assert ag.gradients(ag.sum(cube(x)), x).tolist() == [12.0, 3.0]
    second = ag.hessian(lambda v: ag.sum(cube(v)))(x.detach())
    assert second.tolist() == [[12.0, 0.0], [0.0, -6.0]]


def test_a_custom_primitive_may_declare_its_kind_and_its_branches():
    double = ag.custom_primitive("double", lambda x: 2 * x, x=lambda g: g * 2, kind="linear")
    assert ag.jvp(double, (np.ones(2),), (np.array([1.0, 5.0]),))[1].tolist() == [2.0, 10.0]
    hinge = ag.custom_primitive(
        "hinge", lambda x: np.maximum(x.real, 0) + 0 * x, x=lambda g, x: g * ag.step(x),
        branch=lambda x: x > 0,
    )  # fmt: skip
    assert hinge.branch(np.array([-1.0, 1.0])).tolist() == [False, True]


def test_custom_primitives_check_their_rules_when_declared():
    with pytest.raises(RuleError, match=r"rules for \['z'\], but its inputs are \('x',\)"):
        ag.custom_primitive("bad", lambda x: x, z=lambda g: g)
    with pytest.raises(RuleError, match=r"reads \['q'\]; it can read"):
        ag.custom_primitive("bad", lambda x: x, x=lambda g, q: g)
    with pytest.raises(RuleError, match="first parameter of a rule is g"):
        ag.custom_primitive("bad", lambda x: x, x=lambda x: x)
    with pytest.raises(RuleError, match="exp is a built-in"):
        ag.custom_primitive("exp", np.exp)


def test_only_floating_point_tensors_have_gradients():
    with pytest.raises(DTypeError, match="int64"):
        ag.tensor([1, 2], requires_grad=True)
    with pytest.raises(DTypeError, match="floating-point"):
        ag.grad(lambda x: x * 1.0)(np.arange(2))
