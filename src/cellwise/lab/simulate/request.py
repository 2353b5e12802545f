"""What was asked of `simulate`: one record for all worlds, checked once.

A world states in its own `DEFAULTS` which settings it uses; a setting it does not use is refused
where it was given, never ignored. `None` means "not given".
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwise.errors import UsageError

# Where the world is written and by how many hands: the same world whatever they are.
_NOT_THE_WORLD = ("out", "workers")
# Settings that came later: where they are not given the world is the one it was without them.
_LATE = ("part",)
_ALWAYS = ("out", "world", "seed", "workers")


@dataclass(frozen=True, slots=True)
class SimulateRequest:
    """One world to make.

    Args:
        out: Folder to make.
        world: `hpa`, `rxrx1` or `mitocheck`.
        severity: `easy`, `default`, `hard`; `control` has no label noise at all;
            `foreign` is drawn anew by each seed.
        min_positives: Least number of test cells per class, from at least 8 fields.
        sites: Fields in all, train and test together.
        size: Side of a field in pixels.
        seed: Root of all randomness, 0 or above.
        scv: Share of labels that vary from cell to cell, 0..1.
        workers: Processes, 1 or above; the bytes do not depend on it.
        test_share: Share of the fields in the test part, above 0 and below 1.
        classes: Number of classes of a world that can choose it.
        variant: A second form of a world.
        part: Which part of real plates: `development` or `sealed`; all by default.

    Raises:
        UsageError: A value is out of range.
    """

    out: Path
    world: str
    severity: str | None = None
    min_positives: int | None = None
    sites: int | None = None
    size: int | None = None
    seed: int = 0
    scv: float | None = None
    workers: int = 1
    test_share: float | None = None
    classes: int | None = None
    variant: str | None = None
    part: str | None = None

    def __post_init__(self) -> None:
        whole = {
            "--sites": (self.sites, 1),
            "--size": (self.size, 1),
            "--seed": (self.seed, 0),
            "--workers": (self.workers, 1),
            "--classes": (self.classes, 1),
            "--min-positives": (self.min_positives, 0),
        }
        for option, (value, least) in whole.items():
            if value is not None and value < least:
                raise UsageError(f"{option} is a whole number from {least}, not {value}.")
        if self.scv is not None and not 0 <= self.scv <= 1:
            raise UsageError(f"--scv is a share from 0 to 1, not {self.scv}.")
        if self.test_share is not None and not 0 < self.test_share < 1:
            raise UsageError(f"--test-share is a share above 0 and below 1, not {self.test_share}.")

    def resolved(self, defaults: Mapping[str, Any]) -> "SimulateRequest":
        """The request with what was not given filled in.

        Args:
            defaults: Value by field name for each setting the world uses.

        Raises:
            UsageError: A setting was given that the world does not use.
        """
        for field in dataclasses.fields(self):
            used = field.name in defaults or field.name in _ALWAYS
            if not used and getattr(self, field.name) is not None:
                option = f"--{field.name.replace('_', '-')}"
                raise UsageError(f"{option} means nothing to --world {self.world}. Leave it out.")
        missing = {name: v for name, v in defaults.items() if getattr(self, name) is None}
        return dataclasses.replace(self, **missing)

    def digest(self) -> str:
        """Sha256 of all that makes the world what it is; call it on a resolved request."""
        content = {
            k: v
            for k, v in dataclasses.asdict(self).items()
            if k not in _NOT_THE_WORLD and not (k in _LATE and v is None)
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
