"""How a process that the server started is ended."""

from typing import Any


def end_process(process: Any, patience: float) -> None:
    """Let a process of `multiprocessing` clean up, and end it if it does not.

    What it leaves half-written is in a folder of its own, under a temporary name.

    Args:
        process: It may have ended already.
        patience: Seconds that it may take to end when it is told to.
    """
    process.join(0.5)
    if process.is_alive():
        process.terminate()
        process.join(patience)
    if process.is_alive():
        process.kill()
        process.join(patience)
