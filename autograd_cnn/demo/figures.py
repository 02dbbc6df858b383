"""How the demo's pictures look: one size of pixel, one colour for one meaning.

Ink (grey) is an image, red and blue are a signed quantity about zero, and the colours of lines
are those of Okabe and Ito, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np

from ..errors import require

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
SIGNED = "RdBu_r"
DOTS_PER_INCH = 160

_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


def styled() -> Any:
    """The context in which every picture is made."""
    return require("matplotlib", "plot").rc_context(_STYLE)


def figure(width: float, height: float) -> Any:
    """A figure, in inches, that needs no window and no global state."""
    Figure = require("matplotlib.figure", "plot").Figure
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")


def png(figure: Any) -> bytes:
    """The picture's bytes, the same for the same picture."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def show_image(axes: Any, image: Any) -> None:
    """One grey image within 0 … 1 as ink on paper, its pixels as squares."""
    _bare(axes).imshow(np.asarray(image), cmap="gray_r", vmin=0.0, vmax=1.0)


def show_signed(axes: Any, values: Any, limit: float | None = None) -> Any:
    """A signed map, white at zero and symmetric: red above, blue below."""
    values = np.asarray(values)
    limit = limit if limit is not None else float(np.abs(values).max()) or 1.0
    return _bare(axes).imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)


def signed_scale(axes: Any, limit: float, title: str) -> None:
    """The colours of a signed map from −limit to limit."""
    column = np.linspace(limit, -limit, 256)[:, None]
    axes.imshow(column, cmap=SIGNED, extent=(0, 1, -limit, limit), aspect="auto")
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([-limit, 0, limit], [f"−{limit:.1f}", "0", f"+{limit:.1f}"])
    axes.yaxis.tick_right()
    for spine in axes.spines.values():
        spine.set_visible(False)


def _bare(axes: Any) -> Any:
    """Axes without ticks, in a thin frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.5, color="#bbbbbb")
    return axes
