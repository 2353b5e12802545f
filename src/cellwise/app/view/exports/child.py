"""The process that makes one export: the same call as `cellwise export`, told of by a pipe."""

from multiprocessing.connection import Connection
from pathlib import Path

from cellwise.errors import CellwiseError


def make(run: str, name: str, place: str, told: Connection) -> None:
    """Write an export, and tell of it.

    Args:
        run: The run folder.
        name: Which export.
        place: The file or folder to write.
        told: Takes `("at", done, total)` and at last `("done", fields, cells, lost)` or
            `("failed", words)`.
    """
    from cellwise.app.api import open_run
    from cellwise.flow.pipeline.stop import Stopped, StopSignals

    # A signal unwinds the export, so that nothing half-written is left.
    StopSignals().install()

    def tell(done: int, total: int, _: str) -> None:
        told.send(("at", done, total))

    try:
        written = open_run(run).export(name, Path(place), tell=tell)
    except Stopped:
        return
    except CellwiseError as error:
        told.send(("failed", getattr(error, "strerror", None) or str(error)))
    except Exception as error:  # noqa: BLE001  # The page says what the command would.
        told.send(("failed", f"{type(error).__name__}: {error}"))
    else:
        lost = list((written.lost if written is not None else {}).items())
        told.send(
            ("done", *((written.fields, written.cells) if written else (0, 0)), lost[:5], len(lost))
        )
