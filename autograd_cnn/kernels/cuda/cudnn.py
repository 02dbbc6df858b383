"""cuDNN's graph interface behind one file: plans of the three passes of a convolution.

A plan is built once for a pass, a dtype, the layouts of its arrays and the geometry, and kept. What
is asked of it beyond that: no TF32 where float32 products must be exact, and no sums in a random
order where the result must be the same at every run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

from ..precision import get_float32_matmul_precision
from ..specs import ConvSpec, Sizes

Layout = tuple[Sizes, Sizes]
"""Shape and strides, in entries: NHWC is NCHW with other strides."""

IMAGE, FILTER, ANSWER = 1, 2, 3
PASSES = ("forward", "input_grad", "weight_grad")


@cache
def frontend() -> Any:
    """The module `cudnn`, its libraries loaded first; ImportError where it is missing."""
    loader: Any = import_module("cuda.pathfinder").load_nvidia_dynamic_lib
    for library in ("cudart", "nvrtc", "cublasLt"):
        try:
            loader(library)
        except Exception:  # a system's own CUDA may have it where cuDNN looks
            continue
    return import_module("cudnn")


@dataclass(frozen=True)
class Place:
    """Where a plan is for: a device that is there, or the properties of one that is not."""

    device: int | None = None
    properties: str | None = None

    def arguments(self) -> dict[str, Any]:
        """What a graph of cuDNN's is told."""
        if self.device is not None:
            return {"handle": handle(self.device)}
        properties = frontend().create_device_properties(self.properties)
        return {"device_property": properties, "sm_version": _version(self.properties or "")}


@dataclass(frozen=True)
class Policy:
    """What is asked of the sums: TF32 products allowed, and the same order at every run."""

    tf32: bool
    deterministic: bool


_deterministic = True


def set_deterministic(wanted: bool) -> None:
    """Whether convolutions on the GPU must give the same bits at every run; they do by default."""
    global _deterministic
    _deterministic = bool(wanted)


def policy() -> Policy:
    """What is asked now; TF32 where `ag.set_float32_matmul_precision` is not "highest"."""
    return Policy(get_float32_matmul_precision() != "highest", _deterministic)


@cache
def handle(device: int) -> Any:
    """cuDNN's handle of a device."""
    cupy: Any = import_module("cupy")
    with cupy.cuda.Device(device):
        return frontend().create_handle()


@lru_cache(maxsize=1024)
def plan(
    kind: str, dtype: str, image: Layout, filters: Layout, answer: Layout, spec: ConvSpec,
    policy: Policy, place: Place,
) -> tuple[Any, int]:  # fmt: skip
    """A built graph and the bytes of workspace it needs.

    `image` N×C×size, `filters` O×(C/groups)×kernel and `answer` N×O×out are all given, whichever of
    them the pass computes. Raises cuDNN's error where it has no engine for it.
    """
    cudnn = frontend()
    types = {
        "float32": cudnn.data_type.FLOAT, "float64": cudnn.data_type.DOUBLE,
        "float16": cudnn.data_type.HALF, "bfloat16": cudnn.data_type.BFLOAT16,
    }  # fmt: skip
    entry = types[dtype]
    total = types["float64" if dtype == "float64" else "float32"]
    graph = cudnn.pygraph(
        io_data_type=entry, intermediate_data_type=total, compute_data_type=total,
        **place.arguments(),
    )  # fmt: skip

    def tensor(number: int, layout: Layout) -> Any:
        return graph.tensor(name=f"t{number}", dim=list(layout[0]), stride=list(layout[1]),
                            data_type=entry, uid=number)  # fmt: skip

    geometry = {
        "pre_padding": [before for before, _ in spec.padding],
        "post_padding": [after for _, after in spec.padding],
        "stride": list(spec.stride), "dilation": list(spec.dilation),
    }  # fmt: skip
    if kind == "forward":
        out, number, layout = graph.conv_fprop(
            image=tensor(IMAGE, image), weight=tensor(FILTER, filters), **geometry
        ), ANSWER, answer  # fmt: skip
    elif kind == "input_grad":
        out, number, layout = graph.conv_dgrad(
            loss=tensor(ANSWER, answer), filter=tensor(FILTER, filters), **geometry
        ), IMAGE, image  # fmt: skip
    else:
        out, number, layout = graph.conv_wgrad(
            image=tensor(IMAGE, image), loss=tensor(ANSWER, answer), **geometry
        ), FILTER, filters  # fmt: skip
    out.set_output(True).set_uid(number).set_data_type(entry)
    out.set_dim(list(layout[0])).set_stride(list(layout[1]))
    graph.validate()
    graph.build_operation_graph()
    graph.create_execution_plans([cudnn.heur_mode.A, cudnn.heur_mode.FALLBACK])
    unwanted = []
    if dtype == "float32" and not policy.tf32:
        unwanted.append(cudnn.numerical_note.TENSOR_CORE)
    if policy.deterministic:
        unwanted.append(cudnn.numerical_note.NONDETERMINISTIC)
    if unwanted:
        graph.deselect_numeric_notes(unwanted)
    graph.check_support()
    graph.build_plans()
    return graph, graph.get_workspace_size()


def run(kind: str, image: Any, filters: Any, answer: Any, spec: ConvSpec) -> None:
    """One pass on CuPy arrays with two or three spatial axes, into the one it computes."""
    cupy: Any = import_module("cupy")
    device = image.device.id
    layouts = (layout_of(array) for array in (image, filters, answer))
    graph, size = plan(kind, image.dtype.name, *layouts, spec, policy(), Place(device))
    here = handle(device)
    frontend().set_stream(handle=here, stream=cupy.cuda.get_current_stream().ptr)
    addresses = {IMAGE: image.data.ptr, FILTER: filters.data.ptr, ANSWER: answer.data.ptr}
    space = cupy.cuda.alloc(size) if size else None  # from CuPy's pool, given back in stream order
    graph.execute(addresses, space.ptr if space else 0, handle=here)


def layout_of(array: Any) -> Layout:
    """Shape and strides of an array, in entries."""
    return tuple(array.shape), tuple(stride // array.itemsize for stride in array.strides)


def _version(properties: str) -> int:
    """The compute capability that a device's properties tell: 90 from "deviceVer": 900."""
    import json

    return json.loads(properties)["deviceVer"] // 10
