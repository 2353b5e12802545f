"""The command line: one file per verb, and the translation of errors into exit codes."""

import os
import sys
import traceback
from contextlib import suppress

import typer

from cellwise import __version__
from cellwise.app.cli import (
    audit,
    cache,
    check,
    clean,
    demo,
    doctor,
    ensemble,
    evaluate,
    export,
    fetch,
    models,
    parts,
    predict,
    prepare,
    recipes,
    report,
    run,
    status,
    train_segmenter,
    view,
)
from cellwise.app.cli.lab import ladder, simulate
from cellwise.app.cli.terminal.addresses import refuse_addresses
from cellwise.app.cli.terminal.compiled import keep_compiled_code
from cellwise.errors import CellwiseError, StorageError
from cellwise.flow.pipeline.stop import Stopped, StopSignals, stop_was_asked
from cellwise.store.processor import wait_passively

app = typer.Typer(
    name="cellwise",
    help="Field-level labels in, per-cell labels with stated probabilities out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (
    demo,
    check,
    run,
    predict,
    ensemble,
    evaluate,
    export,
    report,
    audit,
    view,
    status,
    clean,
    cache,
):
    module.register(app)
for module in (simulate, fetch, prepare, train_segmenter, ladder, models, parts, recipes, doctor):
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
    StopSignals().install()
    wait_passively()
    try:
        refuse_addresses(sys.argv[1:])
        keep_compiled_code(sys.argv[1:])
        app()
    except StorageError as error:
        # Python would print the number of the error, which says nothing to a user.
        _say(error.strerror or str(error))
        sys.exit(error.exit_code)
    except CellwiseError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, Stopped):
        _say("Interrupted. The same command continues from here.")
        sys.exit(5)
    except BrokenPipeError:
        _forget_output()
        sys.exit(0)
    except Exception:  # noqa: BLE001 - the last line of defence: a bug, said plainly
        if stop_was_asked():
            _say("Interrupted. The same command continues from here.")
            sys.exit(5)
        traceback.print_exc()
        _say("This is a bug; `cellwise doctor` prints what a report needs.")
        sys.exit(1)
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            _forget_output()


def _forget_output() -> None:
    """Nobody reads what we print (`| head`): no reason for Python to end with code 120."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str) -> None:
    with suppress(OSError):
        print(f"cellwise: {text}", file=sys.stderr)
