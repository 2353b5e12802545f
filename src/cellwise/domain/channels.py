"""Channels have a name, as the files call them, and a role, as the biology calls them.

A role says what a stain shows; models ask for channels by role and never by position, so that files
in another order give the same arrays.
"""

import re
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

# Only words that name one stain in every laboratory; anything else stays without a role.
_ROLE_WORDS = {
    "nucleus": ("nucleus", "nuclei", "nuclear", "dna", "dapi", "hoechst", "draq5", "h2b", "blue"),
    "protein": ("protein", "gfp", "egfp", "fitc", "green", "poi"),
    "microtubule": ("microtubule", "microtubules", "tubulin", "mt", "red"),
    "er": ("er", "endoplasmic", "conacanavalin", "concanavalin", "yellow"),
    "actin": ("actin", "phalloidin", "agp"),
    "mitochondria": ("mito", "mitochondria", "mitotracker"),
    "golgi": ("golgi", "wga"),
    "rna": ("rna", "syto14", "nucleoli"),
    "membrane": ("membrane", "cellmask"),
    "brightfield": ("brightfield", "bf", "bright", "phase", "dic"),
}
_ROLE_OF_WORD = {word: role for role, words in _ROLE_WORDS.items() for word in words}


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


def guess_role(name: str) -> str | None:
    """The role that the words in a channel's name give it, or None; case and digits are ignored."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    roles = {_ROLE_OF_WORD[word] for word in words if word in _ROLE_OF_WORD}
    return roles.pop() if len(roles) == 1 else None


def name_channels(names: list[str], roles: dict[str, str] | None = None) -> tuple[Channel, ...]:
    """Channels for these names; `roles` (name to role) overrides the guess.

    Two channels never share a role: where the guess gives one role twice, both stay without.
    """
    given = roles or {}
    guessed = {name: given.get(name) or guess_role(name) for name in names}
    counts = list(guessed.values())
    return tuple(
        Channel(name, role if role and (name in given or counts.count(role) == 1) else None)
        for name, role in guessed.items()
    )
