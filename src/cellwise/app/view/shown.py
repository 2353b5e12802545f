"""All that one state of a run is drawn from, made anew when the run's tables changed."""

from pathlib import Path
from threading import Lock

from cellwise.app.view.data.live import Live
from cellwise.app.view.data.opened import Opened
from cellwise.app.view.data.scatter import Scatter
from cellwise.app.view.drawing.class_maps import Maps
from cellwise.app.view.drawing.outlines import Outlines, outlines_of
from cellwise.app.view.drawing.planes import Planes
from cellwise.app.view.drawing.sheets import Sheets
from cellwise.app.view.drawing.tiles import Tiles
from cellwise.app.view.drawing.tinting import Bounds


class Drawn:
    """Tables and drawings of one state of a run."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.sheets = Sheets(opened)
        self.outlines: Outlines = outlines_of(opened)
        self.planes = Planes(opened)
        self.tiles = Tiles(opened, self.planes)
        self.maps = Maps(opened)
        self.scatter = Scatter(opened.cells)

    def bounds(self) -> Bounds:
        """Dark and bright of each channel of the fields.

        Those of the gallery where its cells have the same channels, so that a cell is as bright in
        its field; no field has to be decoded for them.
        """
        found = dict(zip(self._keys(), self.sheets.bounds or (), strict=False))
        keys = [channel.key for channel in self.opened.channels]
        return [found[key] for key in keys] if set(keys) <= set(found) else self.planes.bounds()

    def _keys(self) -> list[str]:
        return [channel.key for channel in self.opened.crop_channels]


class Shown:
    """The run of this server, as it is now.

    Args:
        path: The run folder.

    Raises:
        PreflightError: No cells were found in it yet.
        FormatError: A table is torn.
    """

    def __init__(self, path: Path) -> None:
        self._live = Live(path)
        self._lock = Lock()
        self._drawn = Drawn(self._live.now())

    def now(self) -> Drawn:
        """Tables and drawings of the run; a moment old at most."""
        opened = self._live.now()
        with self._lock:
            if self._drawn.opened is not opened:
                self._drawn.scatter.layouts.stop(wait=False)
                self._drawn = Drawn(opened)
            return self._drawn

    def stop(self) -> None:
        """End what is computed behind the server."""
        self._drawn.scatter.layouts.stop()

    @property
    def trouble(self) -> str:
        """Why this is an older state of the run; empty where it is not."""
        return self._live.trouble
