"""What the terminal shows: a bar for each step, and the numbers at the end."""

from __future__ import annotations

from typing import Any

from ..errors import require
from .checking import allowance
from .folder import Folder
from .study import percent


def progress_bars(console: Any) -> Any:
    """A bar for each step."""
    rich = require("rich.progress", "train")
    return rich.Progress(
        rich.TextColumn("{task.description:<40}"),
        rich.BarColumn(bar_width=30),
        rich.TaskProgressColumn(),
        rich.TimeElapsedColumn(),
        console=console,
    )


def summarise(results: dict[str, Any], folder: Folder, seconds: float, console: Any) -> None:
    """Print the laws, the robust accuracy, and where everything is."""
    table, box = require("rich.table", "train").Table, require("rich.box", "train").SIMPLE_HEAD
    training, checks = results["training"], results["gradient_check"]
    laws = table(title="gradients of the trained network", title_justify="left", box=box)
    for name, side in (("law", "left"), ("worst error", "right"), ("allowed", "right")):
        laws.add_column(name, justify=side)
    for law in checks["laws"]:
        if law["comparisons"]:
            laws.add_row(
                f"{law['law']} {law['name']}",
                f"{law['worst_error']:.1e}" if law["worst_error"] else "0",
                allowance(law),
            )
    counted = results["fooling"]["robust_accuracy"]
    robust = table(title="held-out digits read rightly", title_justify="left", box=box)
    robust.add_column("")
    for epsilon in counted["epsilon"]:
        robust.add_column(f"ε = {epsilon:g}" if epsilon else "clean", justify="right")
    for name, parts in counted.items():
        if name != "epsilon":
            robust.add_row(name, *(percent(part) for part in parts))
    console.print()
    console.print(
        f"[bold]{percent(training['held_out_accuracy'])}[/] of {training['held_out_images']} "
        f"held-out digits read rightly by {training['parameters']:,} parameters"
    )
    console.print(laws)
    console.print(robust)
    console.print(f"{seconds:.0f} s · everything is in {folder / 'index.html'}", soft_wrap=True)
