"""Channels have a name, as the files call them, and a role, as the biology calls them.

A role says what a stain shows; models ask for channels by role and never by position, so that files
in another order give the same arrays. What a name tells of the role: `store.stains`.
"""

from dataclasses import dataclass

ROLES = (
    "nucleus",
    "protein",
    "microtubule",
    "er",
    "actin",
    "mitochondria",
    "golgi",
    "rna",
    "membrane",
    "brightfield",
)


@dataclass(frozen=True, slots=True)
class Channel:
    """One stain: `name` as in the files, `role` from `ROLES` or None where unknown."""

    name: str
    role: str | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("A channel needs a name.")
        if self.role is not None and self.role not in ROLES:
            raise ValueError(f"Channel {self.name!r}: no role is called {self.role!r}: {ROLES}.")

    @property
    def key(self) -> str:
        """What models remember a channel by: the role where known, else the name."""
        return self.role or self.name
