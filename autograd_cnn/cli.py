"""The command line: `autograd-cnn demo`, `graph`, `check`, `explain`, `fool` and `env`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .commands import COMMANDS
from .errors import DeviceError, MissingDependencyError
from .named import TargetError

# what the user can mend: told in one line; anything else is a fault of ours and keeps its traceback
EXPECTED = (DeviceError, MissingDependencyError, OSError, TargetError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status: 0, 2 for what the user can mend, 130 when stopped."""
    chosen = parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except EXPECTED as error:
        print(f"autograd-cnn {chosen.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """What the commands understand."""
    whole = argparse.ArgumentParser(prog="autograd-cnn", description=__doc__)
    parts = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, purpose) in COMMANDS.items():
        part = parts.add_parser(name, help=purpose, description=module.__doc__)
        module.add_arguments(part)
        part.set_defaults(run=module.run)
    return whole


if __name__ == "__main__":
    sys.exit(main())
