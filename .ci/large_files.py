"""Refuse files above 500 kB: images, models and runs do not belong into the history."""

import sys
from pathlib import Path

MOST = 500_000
# What comes along with the package, each with its own licence note.
KNOWN = ("src/cellwise/demo/", "src/cellwise/weights/")


def too_large(paths: list[str]) -> list[str]:
    """Those of these files that are larger than allowed."""
    return [
        path for path in paths
        if not path.startswith(KNOWN) and Path(path).is_file() and Path(path).stat().st_size > MOST
    ]  # fmt: skip


if __name__ == "__main__":
    found = too_large(sys.argv[1:])
    for one in found:
        print(f"{one} is larger than {MOST // 1000} kB. Make it by a script, or fetch it.")
    sys.exit(bool(found))
