"""What hosts that train for one run tell each other: small files under `work/hosts/`.

`lead.json` is of the process that holds the run, `host-<n>.json` of each other host, and
`call-<n>.json` is what that host is asked to do. A sign carries a number that grows while its
writer lives, so that no clock of another machine is needed to see that it does.
"""

import json
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from cellwise.errors import FormatError, StorageError
from cellwise.store.atomic import write_text
from cellwise.store.run.folder import RunFolder, read_json

LEAD = "lead"


class HostFiles:
    """The files of one run.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path) -> None:
        self._folder = RunFolder(run).temporary / "hosts"

    def write(self, name: str, facts: dict[str, Any]) -> None:
        """Put `<name>.json` in place of what was there.

        Raises:
            StorageError: The disk is full or cannot be written.
        """
        write_text(self._folder / f"{name}.json", json.dumps(facts, sort_keys=True))

    def write_if_possible(self, name: str, facts: dict[str, Any]) -> None:
        """The same; a disk that is full or away for a moment is tried again with the next sign."""
        with suppress(OSError, StorageError):
            self.write(name, facts)

    def read(self, name: str) -> dict[str, Any]:
        """What `<name>.json` holds; nothing where it is not there or not to be read now."""
        try:
            return read_json(self._folder / f"{name}.json")
        except (OSError, FormatError):
            return {}

    def hosts(self) -> list[int]:
        """The numbers of the hosts that have told of themselves."""
        names = [path.stem.removeprefix("host-") for path in self._folder.glob("host-*.json")]
        return sorted(int(name) for name in names if name.isdigit())

    def clear(self) -> None:
        """Remove what an earlier run left."""
        shutil.rmtree(self._folder, ignore_errors=True)


def host(number: int) -> str:
    """The file in which a host tells of itself."""
    return f"host-{number}"


def call(number: int) -> str:
    """The file that tells a host what to do."""
    return f"call-{number}"


class Silence:
    """For how long nothing new was heard of another host, by this host's clock."""

    def __init__(self) -> None:
        self._last: Any = None
        self._since = time.monotonic()

    def seconds(self, sign: Any) -> float:
        """Seconds since the sign was another one."""
        if sign != self._last:
            self._last, self._since = sign, time.monotonic()
        return time.monotonic() - self._since
