"""The six stains of RxRx1 on a scene: brightness 1 is where the stain is typical.

Source: the channels of RxRx1 (Recursion 2019) and Cell Painting (Bray et al. 2016, Nature Protocols
11:1757): Hoechst, concanavalin A, phalloidin, SYTO 14, MitoTracker, wheat germ agglutinin.
"""

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from cellwise.lab.synth.rxrx1.morphology import CHANNELS
from cellwise.lab.synth.rxrx1.scene import Plane, Scene

# Strokes are drawn at this many brightnesses, on a canvas of 8 bits.
_SHADES = 4
_SUBPIXEL_BITS = 4
_MICROMETRES_PER_REACH = 16.0
_MITOTIC_LIGHT = 1.4
# Log-normal spread of brightness that the stains of a cell share, and how much each takes of it.
_CELL_SPREAD = 0.35
_SHARED_LIGHT = {
    "nucleus": 0.2, "er": 1.0, "actin": 0.3, "rna": 0.8, "mitochondria": 1.0, "golgi": 0.5,
}  # fmt: skip


def stain(scene: Scene) -> Plane:
    """All channels `[channel, y, x]` in the order of `CHANNELS`, before optics and camera."""
    nucleoli = _nucleoli(scene)
    thick = _thickness(scene)
    planes = {
        "nucleus": _nucleus(scene, nucleoli),
        "er": _er(scene, thick),
        "actin": _actin(scene, thick),
        "rna": _rna(scene, thick, nucleoli),
        "mitochondria": _mitochondria(scene),
        "golgi": _golgi(scene, thick),
    }
    return np.stack([planes[name] for name in CHANNELS]) * _liveliness(scene)


def _liveliness(scene: Scene) -> Plane:
    """Light of each cell `[channel, y, x]`: some take up all dyes better, dividing ones too."""
    of_cell = _CELL_SPREAD * scene.rng("liveliness").standard_normal(len(scene.dividing))
    share = np.array([_SHARED_LIGHT[name] for name in CHANNELS])
    light = np.exp(share[:, None] * of_cell) * np.where(scene.dividing, _MITOTIC_LIGHT, 1.0)
    return np.asarray(light, np.float32)[:, scene.cells]


def _nucleus(scene: Scene, nucleoli: Plane) -> Plane:
    """Hoechst: chromatin with grain, dark where a nucleolus lies."""
    grain = scene.grain("chromatin", scene.of_site["chromatin_grain"])
    light = 1 + scene.over_nuclei("chromatin_contrast") * grain - 0.45 * nucleoli
    rim = np.minimum(scene.in_nucleus / 1.5, 1)
    phase = np.array([0.0, *(cell.phase for cell in scene.placed)], np.float32)[scene.nuclei]
    return _positive(scene.over_nuclei("nucleus_brightness") * light * rim * (0.8 + 0.5 * phase))


def _er(scene: Scene, thick: Plane) -> Plane:
    """Concanavalin A: dense beside the nucleus, thinning towards the edge, in a mesh."""
    reach = scene.over_cells("er_reach") * _MICROMETRES_PER_REACH
    near = np.exp(-scene.from_nucleus / np.maximum(reach, 0.1))
    mesh = 1 + scene.over_cells("er_contrast") * scene.grain("er", scene.of_site["er_grain"])
    body = np.where(scene.nuclei > 0, 0.40, 0.25 + 0.9 * near)
    return _positive(scene.over_cells("er_brightness") * body * mesh * (0.5 + 0.5 * thick))


def _actin(scene: Scene, thick: Plane) -> Plane:
    """Phalloidin: stress fibres along the cell, a cortex at its edge, dots."""
    cortex = np.exp(-scene.from_edge / 1.0) * (scene.cells > 0)
    dots = _dots(
        scene,
        "actin dots",
        weight=scene.over_cells("actin_dots"),
        count=0.05 * scene.of_site["actin_dots"],
        radius=0.7,
    )
    light = (
        0.45 * thick + 0.7 * scene.over_cells("actin_cortex") * cortex + _fibres(scene) + 1.5 * dots
    )
    return _positive(scene.over_cells("actin_brightness") * light)


def _rna(scene: Scene, thick: Plane, nucleoli: Plane) -> Plane:
    """SYTO 14: nucleoli, a faint nucleus, and the cytoplasm where ribosomes are."""
    reach = scene.over_cells("er_reach") * _MICROMETRES_PER_REACH
    near = np.exp(-scene.from_nucleus / np.maximum(1.3 * reach, 0.1))
    inner = scene.over_cells("rna_in_nucleus") * 1.3
    inner = inner + scene.over_cells("nucleoli_brightness") * nucleoli
    body = np.where(scene.nuclei > 0, inner, 0.25 + 0.75 * near)
    mesh = 1 + 0.12 * scene.grain("rna", 0.8)
    return _positive(scene.over_cells("rna_brightness") * body * mesh * (0.5 + 0.5 * thick))


def _mitochondria(scene: Scene) -> Plane:
    """MitoTracker: short bent threads, more of them near the nucleus."""
    reach = scene.over_cells("mitochondria_reach") * _MICROMETRES_PER_REACH
    near = np.exp(-scene.from_nucleus / np.maximum(reach, 0.1))
    weight = (0.04 + near) * (scene.nuclei == 0) * scene.over_cells("mitochondria_count")
    length = scene.of_site["mitochondria_length"]
    rng = scene.rng("mitochondria")
    # A tenth of the well-lit cytoplasm is thread whatever the length: more of them when short.
    count = 0.14 * float(weight.sum()) * scene.pixel_size**2 / np.sqrt(length)
    points = _choose_pixels(weight, round(count), rng)
    threads = _strokes(
        scene,
        points,
        angles=rng.uniform(0, 2 * np.pi, len(points)),
        length=length * rng.uniform(0.5, 1.5, len(points)),
        bend=0.5,
        rng=rng,
    )
    outside = (scene.cells > 0) & (scene.nuclei == 0)
    even = (0.06 + 0.35 * near) * outside
    return _positive(scene.over_cells("mitochondria_brightness") * (1.2 * threads * outside + even))


def _golgi(scene: Scene, thick: Plane) -> Plane:
    """Wheat germ agglutinin: pieces beside the nucleus, its envelope, and a faint membrane."""
    pieces = _golgi_pieces(scene)
    envelope = np.exp(-np.square((scene.in_nucleus - 0.6) / 0.9)) * (scene.nuclei > 0)
    inner = scene.over_cells("golgi_in_nucleus")
    nuclear = inner * ((scene.nuclei > 0) + 0.6 * envelope)
    membrane = 0.25 * np.exp(-scene.from_edge / 1.2) * (scene.cells > 0)
    grain = 1 + 0.15 * scene.grain("golgi", 1.0)
    body = (0.30 * thick + nuclear + membrane) * grain
    return _positive(body + scene.over_cells("golgi_brightness") * 2.2 * pieces)


def _thickness(scene: Scene) -> Plane:
    """Height of the cell, 0..1: high over the nucleus, thin at the edge."""
    high = np.exp(-scene.from_nucleus / 9.0)
    edge = 1 - np.exp(-scene.from_edge / 1.5)
    return np.asarray((0.35 + 0.65 * high) * edge * (scene.cells > 0), np.float32)


def _nucleoli(scene: Scene) -> Plane:
    """Round bodies inside nuclei, 0..1; none in a dividing cell."""
    rng = scene.rng("nucleoli")
    canvas = np.zeros(scene.cells.shape, np.uint8)
    for cell in scene.placed:
        if cell.mitotic:
            continue
        ys, xs = np.nonzero(cell.nucleus)
        count = max(int(rng.poisson(scene.of_cell["nucleoli_count"][cell.id])), 0)
        radius = scene.of_cell["nucleoli_radius"][cell.id] * rng.uniform(0.7, 1.3, count)
        for k, pick in enumerate(rng.integers(len(ys), size=count) if len(ys) else ()):
            at = (ys[pick] + cell.origin[0], xs[pick] + cell.origin[1])
            _disc(canvas, at, float(radius[k]) / scene.pixel_size, 255)
    inside = np.minimum(scene.in_nucleus / 1.5, 1)
    return np.asarray(canvas * inside / 255, np.float32)


def _fibres(scene: Scene) -> Plane:
    """Stress fibres, cell by cell: long strokes along the cell's axis."""
    rng = scene.rng("fibres")
    total = np.zeros(scene.cells.shape, np.float32)
    size = np.bincount(scene.cells.ravel(), minlength=len(scene.placed) + 1)
    wanted = size * scene.pixel_size**2 * scene.of_cell["actin_fibres"] / 40.0
    counts = rng.poisson(wanted)
    counts[0] = 0
    angle = np.array([0.0, *(cell.cell_outline.angle for cell in scene.placed)])
    owners = np.repeat(np.arange(len(counts)), counts)
    starts = _pixels_of(scene.cells, counts, rng)
    spread = scene.of_cell["actin_disorder"][owners] * rng.standard_normal(len(owners))
    lengths = np.sqrt(size[owners]) * scene.pixel_size * rng.uniform(0.4, 1.3, len(owners))
    # Fibres of a cell must not cross into its neighbour: two colourings keep neighbours apart.
    for half in (0, 1):
        mine = owners % 2 == half
        drawn = _strokes(
            scene,
            starts[mine],
            angles=(angle[owners] + spread)[mine],
            length=lengths[mine],
            bend=0.15,
            rng=rng,
        )
        total += drawn * ((scene.cells % 2 == half) & (scene.cells > 0))
    return total * np.float32(0.9)


def _golgi_pieces(scene: Scene) -> Plane:
    rng = scene.rng("golgi pieces")
    points, angles = [np.zeros((0, 2))], []
    for cell in scene.placed:
        count = int(rng.poisson(scene.of_cell["golgi_pieces"][cell.id])) + 1
        spread = float(scene.of_cell["golgi_spread"][cell.id])
        centre = np.array(cell.mtoc) / scene.pixel_size + cell.origin
        points.append(centre + rng.standard_normal((count, 2)) * spread / scene.pixel_size)
        angles.append(rng.uniform(0, np.pi) + 0.6 * rng.standard_normal(count))
    places = np.concatenate(points)
    drawn = _strokes(
        scene,
        places,
        angles=np.concatenate([np.zeros(0), *angles]),
        length=rng.uniform(0.8, 3.0, len(places)),
        bend=0.6,
        rng=rng,
    )
    inside = (scene.cells > 0) & (scene.nuclei == 0)
    return np.asarray(drawn * (inside + 0.25 * (scene.nuclei > 0)), np.float32)


def _dots(scene: Scene, purpose: str, *, weight: Plane, count: float, radius: float) -> Plane:
    """Round dots, `count` per square micrometre where the weight is typical."""
    rng = scene.rng(purpose)
    canvas = np.zeros(weight.shape, np.uint8)
    covered = float((weight > 0).sum()) * scene.pixel_size**2
    for y, x in _choose_pixels(weight, int(rng.poisson(count * covered)), rng):
        _disc(canvas, (y, x), radius / scene.pixel_size, int(rng.integers(90, 256)))
    return np.asarray(canvas / np.float32(255))


def _strokes(
    scene: Scene,
    points: npt.NDArray[np.float64],
    *,
    angles: npt.NDArray[np.float64],
    length: npt.NDArray[np.float64],
    bend: float,
    rng: np.random.Generator,
) -> Plane:
    """Bent strokes through `points` (y, x in pixels), `length` in micrometres; 0..1."""
    canvas = np.zeros(scene.cells.shape, np.uint8)
    turns = bend * rng.standard_normal(len(points))
    half = length[:, None] / 2 / scene.pixel_size * np.array([-1.0, 0.0, 1.0])
    heading = angles[:, None] + turns[:, None] * np.array([-1.0, 0.0, 1.0])
    y = points[:, :1] + half * np.sin(heading)
    x = points[:, 1:] + half * np.cos(heading)
    corners = np.round(np.stack([x, y], axis=-1) * 2**_SUBPIXEL_BITS).astype(np.int32)
    shade = rng.integers(_SHADES, size=len(points))
    for level in range(_SHADES):
        colour = 255 * (level + 2) // (_SHADES + 1)
        cv2.polylines(
            canvas,
            list(corners[shade == level]),
            False,  # noqa: FBT003 - OpenCV takes `isClosed` by position
            min(colour, 255),
            lineType=cv2.LINE_AA,
            shift=_SUBPIXEL_BITS,
        )
    return np.asarray(canvas / np.float32(255))


def _disc(canvas: npt.NDArray[np.uint8], at: Iterable[float], radius: float, colour: int) -> None:
    y, x = (round(float(value) * 2**_SUBPIXEL_BITS) for value in at)
    steps = max(round(radius * 2**_SUBPIXEL_BITS), 8)
    cv2.circle(canvas, (x, y), steps, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _choose_pixels(weight: Plane, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """`count` places (y, x), each pixel as likely as its weight."""
    heap = np.cumsum(weight, dtype=np.float64)
    if count <= 0 or heap[-1] <= 0:
        return np.zeros((0, 2))
    flat = np.searchsorted(heap, rng.random(count) * heap[-1], side="right")
    places = np.stack(np.unravel_index(np.minimum(flat, heap.size - 1), weight.shape), axis=1)
    return places + rng.uniform(-0.5, 0.5, places.shape)


def _pixels_of(
    labels: npt.NDArray[np.integer], counts: npt.NDArray[np.integer], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """For each label its number of random pixels (y, x), label by label."""
    order = np.argsort(labels.ravel(), kind="stable")
    sizes = np.bincount(labels.ravel(), minlength=len(counts))
    first = np.cumsum(sizes) - sizes
    owners = np.repeat(np.arange(len(counts)), counts)
    picks = first[owners] + (rng.random(len(owners)) * sizes[owners]).astype(np.int64)
    return np.stack(np.unravel_index(order[picks], labels.shape), axis=1).astype(np.float64)


def _positive(plane: npt.NDArray[np.floating]) -> Plane:
    return np.asarray(np.maximum(plane, 0), np.float32)
