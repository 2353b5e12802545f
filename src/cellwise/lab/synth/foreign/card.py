"""What a foreign world says of itself: its part of the family, and all that was drawn."""

from dataclasses import asdict
from typing import Any

from cellwise.lab.synth.foreign.knobs import ForeignSeverity
from cellwise.lab.synth.foreign.ranges import family_digest, part_of


def world_card(severity: ForeignSeverity) -> dict[str, Any]:
    """For `truth/world.json`: part of the seed, digest of the family, and every knob by name."""
    return {
        "part": part_of(severity.seed),
        "family_digest": family_digest(),
        "drawn": asdict(severity),
    }
