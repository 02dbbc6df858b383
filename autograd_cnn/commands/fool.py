"""`autograd-cnn fool`: change an image a little, so that a network says something else.

Without --epsilon it is the least change that the attack finds, without --target towards any other
class. Pixels are within 0 … 1, and so are epsilons; 8/255 is a number too. Prints what the network
says before and after, and how large the change is; ends with 1 where nothing was found. With -o
draws original, adversarial, difference and 10× difference.
"""

from __future__ import annotations

import argparse
import inspect
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ..named import TargetError
from .arguments import whole_number
from .model import add_model, answer, check_class, load_image, load_model, told

# the class in ag.attacks for each norm that an attack knows, the usual one first
ATTACKS = {
    "pgd": {"linf": "LinfPGD", "l2": "L2PGD", "l1": "L1PGD"},
    "fgsm": {"linf": "FGSM", "l2": "FGM"},
    "bim": {"linf": "BIM"},
    "mifgsm": {"linf": "MIFGSM"},
    "apgd": {"linf": "APGD", "l2": "APGD"},
    "deepfool": {"l2": "DeepFool", "linf": "DeepFool"},
    "cw": {"l2": "CarliniWagnerL2"},
    "ead": {"l1": "EAD"},
    "lbfgs": {"l2": "LBFGS"},
    "fmn": {"l2": "FMN", "linf": "FMN", "l1": "FMN"},
    "jsma": {"l0": "JSMA"},
    "one-pixel": {"l0": "OnePixel"},
    "boundary": {"l2": "Boundary"},
    "hopskipjump": {"l2": "HopSkipJump", "linf": "HopSkipJump"},
    "square": {"linf": "Square", "l2": "Square"},
    "autoattack": {"linf": "AutoAttack", "l2": "AutoAttack"},
}
NORMS = ("linf", "l2", "l1", "l0")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands to a parser."""
    add_model(parser)
    add = parser.add_argument
    add("--target", type=whole_number(0), metavar="CLASS",
        help="what it shall say (default: anything but what it says now)")  # fmt: skip
    add("--attack", choices=ATTACKS, default="pgd", metavar="NAME",
        help=f"{', '.join(ATTACKS)} (default: pgd)")  # fmt: skip
    add("--norm", choices=NORMS, help="what is kept small (default: the attack's first; linf of "
        "pgd): the largest change of a pixel, √Σδ², Σ|δ|, or how many pixels")  # fmt: skip
    add("--epsilon", type=_distance, metavar="E",
        help="how far it may go in that norm (default: as little as fools)")  # fmt: skip
    add("--confidence", type=_share, metavar="P", help="how sure it shall be, as in 0.9")
    add("--steps", type=whole_number(1), metavar="N", help="steps of the attack")
    add("--seed", type=whole_number(0), metavar="N", help="of what is random (default: 0)")
    add("-o", "--out", type=Path, metavar="FILE", help="the panel: .png, .svg or .pdf")
    add("--save", type=Path, metavar="FILE",
        help="the adversarial image: .npy exactly, .png in 256 levels")  # fmt: skip


def run(chosen: argparse.Namespace) -> int:
    """Run the command with parsed arguments."""
    from ..attacks import Confidence, Misclassification, Targeted, change_norms

    attack = _attack(chosen)
    _check_files(chosen)
    model = load_model(chosen)
    image = load_image(chosen, model)
    logits = answer(chosen, model, image)
    check_class(chosen.target, logits, "--target")
    _check_image(chosen, image)
    says = int(logits.argmax())
    print(f"the network says {told(logits)}")
    if chosen.target == says:
        raise TargetError(f"--target {says}: that is what the network says already")
    criterion = Misclassification([says]) if chosen.target is None else Targeted([chosen.target])
    if chosen.confidence is not None:
        criterion = criterion & Confidence(chosen.confidence)
    try:
        found = attack(model, image, criterion, chosen.epsilon)
    except (ValueError, TypeError) as error:
        raise TargetError(f"{chosen.attack}: {error}") from error
    if not found.is_adv[0]:
        print(f"{chosen.attack} found nothing{_within(chosen)}")
        return 1
    moved = found.clipped.numpy()
    print(f"after the change {told(answer(chosen, model, moved))}")
    norms = {name: float(values[0]) for name, values in change_norms(moved, image).items()}
    print("changed by " + ", ".join(f"{name} {norms[name]:.4g}" for name in NORMS))
    _write(chosen, model, image, moved)
    return 0


def _attack(chosen: argparse.Namespace) -> Any:
    """The attack with its settings; TargetError for one that it does not take."""
    from .. import attacks

    known = ATTACKS[chosen.attack]
    norm = next(iter(known)) if chosen.norm is None else chosen.norm
    if norm not in known:
        raise TargetError(f"{chosen.attack} does not know {norm}; it knows {', '.join(known)}")
    kind = getattr(attacks, known[norm])
    takes = inspect.signature(kind).parameters
    settings: dict[str, Any] = {"norm": norm} if "norm" in takes else {}
    names = {"steps": ("steps", "queries", "generations"), "seed": ("seed",)}
    for option, candidates in names.items():
        value = getattr(chosen, option)
        if value is None:
            continue
        name = next((name for name in candidates if name in takes), None)
        if name is None:
            raise TargetError(f"--{option} means nothing to {chosen.attack}")
        settings[name] = value
    if "random_start" in takes:
        # a start at the image itself finds nearer images than one anywhere in the ball
        settings["random_start"] = chosen.seed is not None
    return kind(**settings)


def _check_files(chosen: argparse.Namespace) -> None:
    """TargetError for files that could not be written, before any work."""
    for path, known in ((chosen.out, (".png", ".svg", ".pdf")), (chosen.save, (".npy", ".png"))):
        if path is None:
            continue
        if path.suffix not in known:
            raise TargetError(f"{path}: the file is {' or '.join(known)}")
        if not path.absolute().parent.is_dir():
            raise TargetError(f"there is no folder {path.parent}")


def _check_image(chosen: argparse.Namespace, image: np.ndarray) -> None:
    low, high = float(image.min()), float(image.max())
    if not 0 <= low <= high <= 1:
        raise TargetError(
            f"{chosen.image} has values within {low:g} … {high:g}, not 0 … 1: normalisation "
            "belongs in --mean and --std"
        )
    draws = chosen.out is not None or (chosen.save is not None and chosen.save.suffix == ".png")
    if draws and image.shape[1] not in (1, 3):
        raise TargetError(f"an image of {image.shape[1]} channels cannot be drawn: write .npy")


def _within(chosen: argparse.Namespace) -> str:
    return "" if chosen.epsilon is None else f" within {chosen.epsilon:g}"


def _write(chosen: argparse.Namespace, model: Any, image: np.ndarray, moved: np.ndarray) -> None:
    from ..atomic import write_atomically
    from ..attacks import panel
    from ..explain import save_png

    if chosen.out is not None:
        content = BytesIO()
        panel(model, image, moved).savefig(content, format=chosen.out.suffix[1:])
        write_atomically(chosen.out, content.getvalue())
        print(chosen.out)
    if chosen.save is None:
        return
    if chosen.save.suffix == ".npy":
        content = BytesIO()
        np.save(content, moved[0])
        write_atomically(chosen.save, content.getvalue())
        print(chosen.save)
        return
    levels = np.round(255 * moved).astype(np.uint8)
    save_png(chosen.save, np.moveaxis(levels[0], 0, -1) if moved.shape[1] == 3 else levels[0, 0])
    rounded = (levels / np.float32(255)).astype(np.float32)
    print(f"{chosen.save}: in 256 levels {told(answer(chosen, model, rounded))}")


def _distance(text: str) -> float:
    try:
        value = float(Fraction(text))
    except (ValueError, ZeroDivisionError):
        value = -1.0
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a distance ≥ 0, as in 0.03 or 8/255")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a probability, as in 0.9")
    return value
