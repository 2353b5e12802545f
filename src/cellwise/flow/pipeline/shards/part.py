"""A shard of a run: every N-th of its sites, and a folder for its records."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cellwise.errors import UsageError
from cellwise.store.run.folder import RunFolder

RECORD = "shard.json"
_WORDS = re.compile(r"(\d+)/(\d+)")
_FOLDER = re.compile(r"(\d+)-of-(\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """Shard `number` of `of`, counted from 1."""

    of: int
    number: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> "Part":
        """The shard that a text such as `3/8` names.

        Raises:
            UsageError: It names none.
        """
        found = _WORDS.fullmatch(text)
        number, of = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= number <= of:
            raise UsageError(
                f"--shard {text}: a shard is I/N with I from 1 to N, such as 1/8 or 8/8."
            )
        return cls(of, number)

    def takes(self, sites: Iterable[str]) -> list[str]:
        """The sites of this shard: neighbours go to different shards, so that all have alike."""
        return sorted(set(sites))[self.number - 1 :: self.of]

    def folder(self, run: RunFolder) -> Path:
        """Where its records lie."""
        return home(run) / f"{self.number}-of-{self.of}"


def home(run: RunFolder) -> Path:
    """The folder of all that shards have on record until it is merged."""
    return run.done / "shards"


def parts_there(run: RunFolder) -> list[Part]:
    """The shards that have a folder, in order."""
    folder = home(run)
    # Listed, not asked for by name: a network disk then looks anew.
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = [match for name in names if (match := _FOLDER.fullmatch(name))]
    return sorted(Part(int(match[2]), int(match[1])) for match in found)
