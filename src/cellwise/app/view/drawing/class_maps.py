"""Class maps over fields: where a network saw a class, for runs that kept some."""

import numpy as np

from cellwise.app.view.data.kept import Kept
from cellwise.app.view.data.opened import Opened
from cellwise.errors import FormatError
from cellwise.parts.drawing.images import Levels, encode
from cellwise.store.run.class_maps import ClassMaps, read_class_maps

# Black, blue, teal, yellow, white: each lighter than the one before, whoever looks.
_RAMP = ((0, 0, 0), (40, 60, 160), (30, 150, 140), (240, 220, 60), (255, 255, 255))


class Maps:
    """The class maps of one run.

    Args:
        opened: The run.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._kept: Kept[ClassMaps] = Kept(1)

    def offered(self, site_id: str) -> list[dict[str, object]]:
        """The score steps with a map of this field, each with its classes."""
        found: list[dict[str, object]] = []
        for name in self._names():
            maps = self._of(name)
            if maps is not None and site_id in maps.sites:
                found.append({"step": name, "classes": list(maps.classes)})
        return found

    def drawn(self, name: str, site_id: str, class_name: str) -> bytes | None:
        """A PNG of one map, coarser than the field; None where there is none.

        Black where the class is unlikely, over blue, teal and yellow to white where it is certain.
        """
        maps = self._of(name) if name in self._names() else None
        if maps is None or site_id not in maps.sites or class_name not in maps.classes:
            return None
        logits = maps.maps[maps.sites.index(site_id), maps.classes.index(class_name)]
        share = 1 / (1 + np.exp(-np.nan_to_num(logits.astype(np.float32))))
        return encode(_ramp(share), kind="PNG")

    def _names(self) -> list[str]:
        steps = (self._opened.record.get("recipe") or {}).get("steps") or []
        names = [str(step.get("name")) for step in steps if step.get("kind") == "score"]
        return [name for name in names if self._opened.run.class_maps(name).is_file()]

    def _of(self, name: str) -> ClassMaps | None:
        try:
            return self._kept.give(name, lambda: read_class_maps(self._opened.run.class_maps(name)))
        except (FormatError, OSError):
            return None


def _ramp(share: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> Levels:
    stops = np.linspace(0, 1, len(_RAMP))
    parts = [np.interp(share, stops, [colour[part] for colour in _RAMP]) for part in range(3)]
    return np.rint(np.stack(parts, -1)).astype(np.uint8)
