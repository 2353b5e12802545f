"""The command line: one file per verb, and the translation of errors into exit codes."""

import signal
import sys
import traceback
from types import FrameType

import typer

from cellwise import __version__
from cellwise.app.cli import (
    check,
    demo,
    doctor,
    evaluate,
    export,
    later,
    models,
    parts,
    predict,
    recipes,
    report,
    run,
    status,
    view,
)
from cellwise.errors import CellwiseError

app = typer.Typer(
    name="cellwise",
    help="Field-level labels in, per-cell labels with stated probabilities out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (demo, check, run, predict, evaluate, export, report, view, status):
    module.register(app)
for module in (models, parts, recipes, doctor, later):
    module.register(app)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop."),  # noqa: FBT001, FBT003
) -> None:
    if version:
        print(f"cellwise {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command; errors raised on purpose become one message and their exit code."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        app()
    except CellwiseError as error:
        print(f"cellwise: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("cellwise: interrupted. The same command goes on from here.", file=sys.stderr)
        sys.exit(5)
    except BrokenPipeError:
        sys.exit(0)
    except Exception:  # noqa: BLE001 - the last line of defence: a bug, said plainly
        traceback.print_exc()
        print(
            "cellwise: this is a bug; `cellwise doctor` prints what a report needs.",
            file=sys.stderr,
        )
        sys.exit(1)


def _as_interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
