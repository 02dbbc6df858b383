"""What can be held of the GPU's code where there is none: its sources compile, its plans exist."""

import ast
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

import autograd_cnn
from autograd_cnn.errors import DTypeError
from autograd_cnn.kernels.cuda import _window, compiler, cudnn
from autograd_cnn.kernels.specs import ConvSpec, PoolSpec

HERE, KERNELS = Path(__file__).parent, Path(autograd_cnn.__file__).parent / "kernels"
SHARED = ("arrays", "base", "columns", "elementwise", "fused", "linalg", "scan", "windows")


def missing(*modules):
    """Why a test cannot run; None where all the modules are there."""
    absent = [name for name in modules if not found(name)]
    return (
        f'{", ".join(absent)} not installed: pip install "autograd-cnn[cuda12]"' if absent else None
    )


def found(module):
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


needs_cupy = pytest.mark.skipif(bool(missing("cupy")), reason=str(missing("cupy")))
needs_nvrtc = pytest.mark.skipif(
    bool(missing("cupy", "cuda.pathfinder")), reason=str(missing("cupy", "cuda.pathfinder"))
)
needs_cudnn = pytest.mark.skipif(
    bool(missing("cudnn", "cuda.pathfinder")), reason=str(missing("cudnn", "cuda.pathfinder"))
)

WINDOW = PoolSpec((3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))
MACROS = {"pool": _window(WINDOW)}


@needs_nvrtc
@pytest.mark.parametrize("source", compiler.SOURCES)
@pytest.mark.parametrize("dtype", compiler.TYPES)
def test_every_source_compiles(source, dtype):
    for architecture in compiler.ARCHITECTURES:
        ptx = compiler.compile_ptx(source, dtype, architecture, MACROS.get(source, ()))
        assert f".target sm_{architecture}".encode() in ptx
        for kernel in compiler.parameters(source):
            assert f".entry {kernel}(".encode() in ptx


@needs_nvrtc
def test_what_does_not_compile_says_why():
    with pytest.raises(RuntimeError, match=r"pool\.cu: .*KH"):
        compiler.compile_ptx("pool", "float32", 90)


def test_a_dtype_that_no_kernel_takes():
    with pytest.raises(DTypeError, match="float32, float64, float16, bfloat16, not int8"):
        compiler.options("int8")


def attributes_of(name, path):
    """Dotted names that follow `xp.` or `self.xp.` in a file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        chain = []
        while isinstance(node, ast.Attribute):
            chain.append(node.attr)
            node = node.value
        base = isinstance(node, ast.Name) and node.id
        if chain and base == "xp":
            names.add(".".join(reversed(chain)))
        elif len(chain) > 1 and base == "self" and chain[-1] == "xp":
            names.add(".".join(reversed(chain[:-1])))
    return names


@needs_cupy
@pytest.mark.parametrize("name", SHARED)
def test_every_name_of_xp_exists_in_cupy(name):
    import cupy

    absent = []
    for dotted in sorted(attributes_of(name, KERNELS / f"{name}.py")):
        thing = cupy
        for part in dotted.split("."):
            thing = getattr(thing, part, None)
        absent += [dotted] if thing is None else []
    assert absent == []


def layout(shape, together):
    order = (0, *range(2, len(shape)), 1) if together else range(len(shape))
    strides, step = [0] * len(shape), 1
    for axis in reversed(list(order)):
        strides[axis], step = step, step * shape[axis]
    return tuple(shape), tuple(strides)


GEOMETRIES = {
    "3×3": ((16, 32, 32, 32), 64, (3, 3), ConvSpec((1, 1), ((1, 1), (1, 1)), (1, 1))),
    "stride": ((16, 32, 32, 32), 64, (3, 3), ConvSpec((2, 2), ((1, 1), (1, 1)), (1, 1))),
    "dilation": ((16, 32, 32, 32), 64, (3, 3), ConvSpec((1, 1), ((2, 2), (2, 2)), (2, 2))),
    "groups": ((16, 32, 32, 32), 64, (3, 3), ConvSpec((1, 1), ((1, 1), (1, 1)), (1, 1), 4)),
    "depthwise": ((16, 32, 32, 32), 32, (3, 3), ConvSpec((1, 1), ((1, 1), (1, 1)), (1, 1), 32)),
    "1×1": ((16, 32, 32, 32), 64, (1, 1), ConvSpec((1, 1), ((0, 0), (0, 0)), (1, 1))),
    "first layer": ((16, 3, 224, 224), 64, (7, 7), ConvSpec((2, 2), ((3, 3), (3, 3)), (1, 1))),
    "same, even": ((8, 16, 15, 15), 16, (4, 4), ConvSpec((1, 1), ((1, 2), (1, 2)), (1, 1))),
    "1-D": ((16, 32, 1, 100), 64, (1, 5), ConvSpec((1, 2), ((0, 0), (2, 2)), (1, 1))),
    "3-D": ((4, 16, 8, 16, 16), 32, (3, 3, 3), ConvSpec((1,) * 3, ((1, 1),) * 3, (1,) * 3)),
}
PLACE = cudnn.Place(properties=(HERE / "h200.json").read_text("utf-8"))


@needs_cudnn
@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("kind", cudnn.PASSES)
def test_cudnn_has_a_plan(geometry, kind):
    """For an H200, in every dtype, both layouts, with and without TF32, in a fixed order."""
    size, filters, kernel, spec = GEOMETRIES[geometry]
    weights = (filters, size[1] // spec.groups, *kernel)
    answer = (size[0], filters, *spec.output_size(size[2:], kernel))
    for dtype, exact in (("float32", True), ("float32", False), ("bfloat16", False)):
        for together in (False, True):
            shapes = [layout(shape, together) for shape in (size, weights, answer)]
            wanted = cudnn.Policy(tf32=not exact, deterministic=True)
            graph, space = cudnn.plan(kind, dtype, *shapes, spec, wanted, PLACE)
            assert graph is not None and space >= 0


def test_the_device_of_the_plans_is_an_h200():
    assert json.loads(PLACE.properties)["deviceName"] == "NVIDIA H200"


def test_policy_follows_the_precision_that_is_asked():
    from autograd_cnn.kernels import precision

    with precision.float32_matmul_precision("highest"):
        assert cudnn.policy() == cudnn.Policy(tf32=False, deterministic=True)
    with precision.float32_matmul_precision("high"):
        assert cudnn.policy().tf32
    cudnn.set_deterministic(False)
    try:
        assert not cudnn.policy().deterministic
    finally:
        cudnn.set_deterministic(True)
