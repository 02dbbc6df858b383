"""`autograd-cnn explain`: show where in an image a network looks.

Prints what the network says, and where the explanation is strongest. With -o the map is laid over
the image (.png) or kept as it is (.npy). Maps with a sign are blue below zero and red above, maps
without go from black to yellow.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import require
from ..named import TargetError
from .arguments import whole_number
from .model import add_model, answer, check_class, load_image, load_model, told

SCORES, REDUCTIONS = ("logit", "softmax", "log_softmax", "loss"), ("signed", "max", "sum")
LARGE = 320  # pixels of the longer side that small images are enlarged to


class Entry(NamedTuple):
    """A method: its class, the options that it understands by their names there, and fixed ones."""

    kind: str
    options: dict[str, str]
    fixed: dict[str, Any] = {}


GRADIENT = {"layer": "layer", "score": "score"}
SMOOTH = {**GRADIENT, "samples": "samples", "seed": "seed"}
METHODS = {
    "saliency": Entry("Saliency", GRADIENT),
    "guided": Entry("GuidedBackprop", GRADIENT),
    "deconvnet": Entry("Deconvnet", GRADIENT),
    "redirected": Entry("RedirectedReLU", GRADIENT),
    "input-x-gradient": Entry("InputXGradient", GRADIENT),
    "integrated-gradients": Entry("IntegratedGradients", {**GRADIENT, "steps": "steps"}),
    "smoothgrad": Entry("SmoothGrad", SMOOTH),
    "vargrad": Entry("VarGrad", SMOOTH),
    "lrp": Entry("LRP", {"layer": "layer"}),
    "lrp-alpha-beta": Entry("LRP", {"layer": "layer"}, {"rule": "alpha-beta"}),
    "cam": Entry("CAM", {"layer": "layer"}),
    "grad-cam": Entry("GradCAM", GRADIENT),
    "grad-cam++": Entry("GradCAMPlusPlus", GRADIENT),
    "layer-cam": Entry("LayerCAM", GRADIENT),
    "score-cam": Entry("ScoreCAM", GRADIENT),
    "guided-grad-cam": Entry("GuidedGradCAM", GRADIENT),
    "occlusion": Entry("Occlusion", {"window": "size"}),
    "lime": Entry("LIME", {"score": "score", "samples": "samples", "seed": "seed"}),
    "rise": Entry("RISE", {"score": "score", "samples": "masks", "seed": "seed"}),
}
ON_MAPS = ("cam", "grad-cam", "grad-cam++", "layer-cam", "score-cam", "guided-grad-cam")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands to a parser."""
    add_model(parser)
    add = parser.add_argument
    add("--method", choices=METHODS, default="saliency", metavar="NAME",
        help=f"{', '.join(METHODS)} (default: saliency)".replace("%", "%%"))  # fmt: skip
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--target", type=whole_number(0), metavar="CLASS",
                      help="the class to explain (default: the one predicted)")  # fmt: skip
    what.add_argument("--unit", metavar="LAYER:CHANNEL[:ROW,COLUMN]",
                      help="a channel of a layer, one place of it, or its max")  # fmt: skip
    add("--layer", metavar="NAME", help="with respect to a layer; of CAMs, the layer of the maps "
        "(default: the last one)")  # fmt: skip
    add("--score", choices=SCORES, help="what of the class is explained (default: logit)")
    add("--steps", type=whole_number(2), metavar="N", help="points of integrated gradients")
    add("--samples", type=whole_number(1), metavar="N", help="noisy copies, subsets or masks")
    add("--window", type=whole_number(1), metavar="N", help="pixels a side that occlusion covers")
    add("--seed", type=whole_number(0), metavar="N", help="of what is random (default: 0)")
    add("--reduce", choices=REDUCTIONS, default="signed",
        help="how the picture joins channels: Σ, max|·| or Σ|·| (default: signed)")  # fmt: skip
    add("--plain", action="store_true", help="the map alone, not over the image")
    add("-o", "--out", type=Path, metavar="FILE", help="a picture (.png) or the values (.npy)")


def run(chosen: argparse.Namespace) -> int:
    """Run the command with parsed arguments."""
    from ..errors import RuleError, TapeError

    options = _options(chosen)
    _check_out(chosen.out)
    model = load_model(chosen)
    image = load_image(chosen, model)
    logits = answer(chosen, model, image)
    check_class(chosen.target, logits, "--target")
    print(f"the network says {told(logits)}")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            attribution = _attribution(chosen, model, image, options, int(logits.argmax()))
    except (ValueError, RuleError, TapeError) as error:
        raise TargetError(f"{chosen.method}: {error}") from error
    for message in dict.fromkeys(str(one.message) for one in caught):
        print(message, file=sys.stderr)
    values = _flat(attribution, chosen.reduce)
    print(_strongest(values))
    if chosen.out is not None:
        _write(chosen, image, attribution, values)
        print(chosen.out)
    return 0


def _options(chosen: argparse.Namespace) -> dict[str, Any]:
    """The method's own options, by their names there; TargetError for one that it does not take."""
    entry = METHODS[chosen.method]
    names = ("layer", "score", "steps", "samples", "window", "seed")
    given = {name: value for name in names if (value := getattr(chosen, name)) is not None}
    for name in given:
        if name not in entry.options:
            takes = " and ".join(f"--{known}" for known in entry.options)
            raise TargetError(f"--{name} means nothing to {chosen.method}, which takes {takes}")
    if chosen.unit is not None and chosen.method == "cam":
        raise TargetError("cam explains a class: its weights are those of the linear layer")
    return {entry.options[name]: value for name, value in given.items()} | entry.fixed


def _check_out(out: Path | None) -> None:
    """TargetError for a file that could not be written, before any work.

    MissingDependencyError for a picture without Pillow.
    """
    if out is None:
        return
    if out.suffix not in (".png", ".npy"):
        raise TargetError(f"{out}: the picture is .png, the values .npy")
    if not out.absolute().parent.is_dir():
        raise TargetError(f"there is no folder {out.parent}")
    if out.suffix == ".png":
        require("PIL.Image", "plot")


def _attribution(
    chosen: argparse.Namespace, model: Any, image: np.ndarray, options: dict, predicted: int
) -> np.ndarray:
    """What the method gives, 1×…."""
    from .. import explain

    if "layer" in options:
        options["layer"] = _module(model, options["layer"])
    elif chosen.method in ON_MAPS:
        path, options["layer"] = explain.last_maps(model, image)
        print(f"maps of {path}")
    kind = getattr(explain, METHODS[chosen.method].kind)
    if chosen.method == "cam":
        options["head"] = _head(model)
    if chosen.method in ("smoothgrad", "vargrad"):
        inner = {name: options.pop(name) for name in ("layer", "score") if name in options}
        method = kind(explain.Saliency(model, **inner), **options)
    else:
        method = kind(model, **options)
    target = predicted if chosen.target is None else chosen.target
    if chosen.unit is not None:
        target = _unit(model, chosen.unit)
    return method.attribute(image, target).numpy()


def _module(model: Any, name: str) -> Any:
    modules = {path: module for path, module in model.named_modules() if path}
    if name not in modules:
        raise TargetError(f"there is no layer {name!r}; there are {', '.join(modules)}")
    return modules[name]


def _head(model: Any) -> Any:
    from ..nn import Linear

    linear = [module for _, module in model.named_modules() if isinstance(module, Linear)]
    if not linear:
        raise TargetError("cam needs a network that ends in a linear layer; try grad-cam")
    return linear[-1]


def _unit(model: Any, text: str) -> Any:
    """`relu1:5`, `relu1:5:3,4` or `relu1:5:max` as a Unit."""
    from ..explain import Unit

    layer, _, rest = text.partition(":")
    channel, _, place = rest.partition(":")
    numbers = place.split(",") if place not in ("", "max") else []
    if not channel.isdigit() or not all(number.isdigit() for number in numbers):
        raise TargetError(f"--unit {text} is not LAYER:CHANNEL, as in relu1:5 or relu1:5:3,4")
    position = tuple(map(int, numbers)) or place or None
    return Unit(_module(model, layer), int(channel), position)


def _flat(attribution: np.ndarray, reduce: str) -> np.ndarray:
    """1×C×H×W as H×W, and 1×K as 1×K, channels joined."""
    if attribution.ndim != 4:
        return attribution.reshape(1, -1)
    joined = {
        "signed": lambda a: a.sum(axis=0),
        "max": lambda a: np.abs(a).max(axis=0),
        "sum": lambda a: np.abs(a).sum(axis=0),
    }
    return joined[reduce](attribution[0])


def _strongest(values: np.ndarray) -> str:
    if not values.any():
        return "the map is zero everywhere"
    row, column = np.unravel_index(int(np.abs(values).argmax()), values.shape)
    return (
        f"from {values.min():.3g} to {values.max():.3g}, strongest at row {row}, column {column}"
    ).replace("-", "−")


def _write(
    chosen: argparse.Namespace, image: np.ndarray, attribution: np.ndarray, values: np.ndarray
) -> None:
    from ..atomic import write_atomically
    from ..explain import coloured, save_png
    from ..explain.activation_map import upsampled
    from ..tensor import tensor

    if chosen.out.suffix == ".npy":
        from io import BytesIO

        content = BytesIO()
        np.save(content, attribution)
        write_atomically(chosen.out, content.getvalue())
        return
    if attribution.ndim != 4:
        raise TargetError(f"{chosen.layer} has no places to be drawn: write an .npy file")
    if chosen.method == "rise":
        values = values - values.min()  # it has no zero of its own
    if values.shape != image.shape[2:]:
        values = upsampled(tensor(values[None, None]), tensor(image)).numpy()[0, 0]
    picture = coloured(values, None if chosen.plain else image)
    save_png(chosen.out, picture, enlarge=max(1, LARGE // max(values.shape)))
