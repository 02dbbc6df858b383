"""The module tree: names, state, modes, scopes, errors before any change."""

import copy
import gc
import weakref

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn import nn
from autograd_cnn.errors import DTypeError, ShapeError


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 2, rng=0)
        self.scale = nn.Parameter([1.0])
        self.register_buffer("seen", ag.tensor(np.array(0)))
        self.register_buffer("cache", ag.tensor([0.0]), persistent=False)
        self.norm = nn.BatchNorm1d(2)
        self.absent = None

    def forward(self, x):
        return self.norm(self.head(x)) * self.scale


def test_names_are_paths_of_attributes_own_tensors_before_those_of_children():
    assert list(Small().state_dict()) == [
        "scale", "seen", "head.weight", "head.bias", "norm.weight", "norm.bias",
        "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
    ]  # fmt: skip
    assert [name for name, _ in Small().named_buffers()] == [
        "seen", "cache", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked",
    ]  # fmt: skip
    assert [name for name, _ in Small().named_modules()] == ["", "head", "norm"]


def test_a_parameter_is_a_leaf_named_after_its_attribute():
    model = Small()
    assert model.scale.name == "scale" and model.scale.requires_grad and model.scale.is_leaf
    assert isinstance(model.head.weight, nn.Parameter)
    with pytest.raises(DTypeError):
        nn.Parameter(np.array([1, 2]))


def test_a_shared_module_or_parameter_appears_once_but_is_saved_under_both_names():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.ReLU(), layer)
    assert len(list(model.parameters())) == 2
    assert [name for name, _ in model.named_modules()] == ["", "0", "1"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    tied = nn.Module()
    tied.first, tied.second = nn.Linear(2, 2), nn.Linear(2, 2)
    tied.second.weight = tied.first.weight
    names = [name for name, _ in tied.named_parameters()]
    assert names == ["first.weight", "first.bias", "second.bias"]


def test_a_plain_tensor_cannot_replace_a_parameter():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"Linear\.weight is a parameter.*assign"):
        layer.weight = ag.tensor(np.zeros((2, 2), np.float32))
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]


def test_a_state_dict_is_a_snapshot():
    model = Small()
    before = model.state_dict()
    values = {name: value.numpy().copy() for name, value in before.items()}
    model(ag.tensor(np.eye(3, dtype=np.float32))).sum().backward()
    ag.optim.SGD(model.parameters(), lr=1.0).step()
    assert float(model.norm.num_batches_tracked) == 1
    for name, value in before.items():
        np.testing.assert_array_equal(value, values[name])
    model.load_state_dict(before)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, values[name])


def test_loading_changes_nothing_unless_everything_fits():
    model = Small()
    state = {name: value.numpy() + 1 for name, value in model.state_dict().items()}
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    wrong = {**state, "norm.weight": np.zeros(7), "extra": np.zeros(1)}
    del wrong["head.bias"]
    with pytest.raises(ValueError) as caught:
        model.load_state_dict(wrong)
    message = str(caught.value)
    assert "missing keys: head.bias" in message
    assert "unexpected keys: extra" in message
    assert "norm.weight is 2 here, 7 in the state" in message
    with pytest.raises(ShapeError, match="2 here, 7 in the state"):
        model.load_state_dict(wrong, strict=False)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    del wrong["norm.weight"]
    result = model.load_state_dict(wrong, strict=False)
    assert result == (["head.bias", "norm.weight"], ["extra"])
    np.testing.assert_array_equal(model.scale, before["scale"] + 1)


def test_modes_reach_every_module_and_come_back():
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.BatchNorm1d(2)))
    assert all(not m.training for m in model.eval().modules())
    assert all(m.training for m in model.train().modules())


def test_to_changes_the_dtype_of_floating_point_tensors_only():
    model = Small().to("float64")
    dtypes = {name: str(value.dtype) for name, value in model.state_dict().items()}
    assert dtypes.pop("seen") == dtypes.pop("norm.num_batches_tracked") == "int64"
    assert set(dtypes.values()) == {"float64"}
    model(ag.tensor(np.eye(3), requires_grad=True)).sum().backward()
    assert model.head.weight.grad.dtype == np.float64
    assert model.to("cpu") is model


def test_freezing_and_forgetting_gradients():
    model = Small()
    model.head.requires_grad_(False)
    model(ag.tensor(np.eye(3, dtype=np.float32))).sum().backward()
    assert model.head.weight.grad is None and model.scale.grad is not None
    model.zero_grad()
    assert model.scale.grad is None


def test_apply_visits_children_first():
    seen = []
    nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh())).apply(
        lambda module: seen.append(type(module).__name__)
    )
    assert seen == ["ReLU", "Tanh", "Sequential", "Sequential"]


def test_scopes_on_the_tape_are_the_path_of_calls():
    model = Small().eval()
    y = model(ag.tensor(np.eye(3, dtype=np.float32)))
    product, norm = y._node, y._node.parents[0]
    assert product.scope.path == ("",) and product.scope.kind == "Small"
    assert norm.scope.path == ("", "norm") and norm.scope.module() is model.norm
    assert norm.parents[0].scope.path == ("", "head")
    assert (y * 2.0)._node.scope is None  # restored outside


def test_the_scope_is_restored_after_an_error():
    class Failing(nn.Module):
        def forward(self, x):
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        Failing()(1)
    assert (ag.tensor(1.0, requires_grad=True) * 2.0)._node.scope is None


def test_a_model_is_freed_by_reference_counting_alone():
    gc.collect()
    gc.disable()
    try:
        model = Small()
        model(ag.tensor(np.eye(3, dtype=np.float32))).sum().backward()
        watched = weakref.ref(model.head.weight)
        del model
        assert watched() is None
    finally:
        gc.enable()


def test_a_deep_copy_is_independent_and_keeps_sharing():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, layer)
    twin = copy.deepcopy(model)
    assert twin[0] is twin[1] and twin[0] is not layer
    twin[0].weight.assign(np.zeros((2, 2)))
    assert model[0].weight.numpy().any()
    assert isinstance(twin[0].weight, nn.Parameter) and twin[0].weight.requires_grad


def test_gradients_with_respect_to_parameters_as_arguments():
    layer = nn.Linear(3, 1, rng=0)
    x = ag.tensor([[1.0, 2.0, 3.0]])

    def output(parameters):
        with nn.parameters_replaced(layer, parameters):
            return layer(x).sum()

    weights = dict(layer.named_parameters())
    found = ag.grad(output)(weights)
    assert found["weight"].tolist() == [[1.0, 2.0, 3.0]] and found["bias"].tolist() == [1.0]
    assert layer.weight is weights["weight"]
    with (
        pytest.raises(KeyError, match=r"wieght"),
        nn.parameters_replaced(layer, {"bias": x, "wieght": x}),
    ):
        pass
    assert layer.bias is weights["bias"]


def test_containers():
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    model = nn.Sequential(a, b).append(c)
    assert len(model) == 3 and list(model) == [a, b, c] and model[-1] is c
    assert list(model[1:]) == [b, c]
    model[0] = nn.Identity()
    assert isinstance(model[0], nn.Identity) and len(model) == 3
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(2))
    assert list(layers.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    with pytest.raises(TypeError, match="modules, not function"):
        nn.Sequential(ag.relu)
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        layers(1)


def test_forgetting_to_call_the_base_constructor_does_no_harm():
    class Plain(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(2, 1, rng=0)

        def forward(self, x):
            return self.layer(x)

    model = Plain().eval()
    assert not model.training and len(list(model.parameters())) == 2
    assert model(ag.tensor([[1.0, 2.0]])).shape == (1, 1)
