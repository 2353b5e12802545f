"""What the patterns look like in a dividing cell: the nucleus is open, organelles are scattered."""

import numpy as np

from cellwise.lab.synth.cells import Mask
from cellwise.lab.synth.landmarks import Landmarks
from cellwise.lab.synth.patterns.drawn import Drawn
from cellwise.lab.synth.spindle import Spindle
from cellwise.lab.synth.texture import Numbers, Plane
from cellwise.lab.synth.window import Window


def spindle(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Fusiform fibres between two poles, some proteins more at the poles than along the fibres."""
    window, made = landmarks.window, _made(landmarks)
    poles_share, free = look.uniform(0.0, 1.0), look.uniform(0.02, 0.12)
    decorated = np.maximum(1 + 0.2 * window.grain(0.8, rng=rng), 0.2)
    poles = _poles(window, made, radius=0.8)
    return Drawn(made.fibres * decorated + poles_share * poles, free * window.body)


def fibres(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Microtubules are the spindle now: the red stain again, over diffuse light."""
    window = landmarks.window
    free, patchy = look.uniform(0.08, 0.25), look.uniform(0.15, 0.45)
    decorated = np.maximum(1 + patchy * window.grain(1.5, rng=rng), 0.1)
    return Drawn(landmarks.filaments * decorated, free * window.body)


def centrosomes(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """One point at each pole."""
    window = landmarks.window
    free = look.uniform(0.01, 0.1)
    points = _poles(window, _made(landmarks), radius=float(rng.uniform(0.3, 0.45)))
    return Drawn(points, free * window.body, brilliance=1.8)


def dispersed(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Everywhere in the ball but on the plate."""
    window = landmarks.window
    mottle = look.uniform(0.04, 0.14)
    return Drawn(_ball(landmarks) * (1 + mottle * window.grain(0.8, rng=rng)))


def reticulum(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """The yellow stain's net around the spindle."""
    own = look.uniform(0.2, 0.6)
    net = 1 - own + 2 * own * landmarks.window.mesh(0.7, rng=rng)
    return Drawn(landmarks.reticulum * net)


def coat(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Proteins of the nucleolus coat the chromosomes."""
    window = landmarks.window
    signed = window.depth - window.away
    rim = np.exp(-0.5 * np.square(signed / 0.4))
    free = look.uniform(0.1, 0.3)
    return Drawn(rim * (1 + 0.2 * window.grain(0.8, rng=rng)), free * _ball(landmarks))


def plate_spots(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Fibrillar centres become a few points on the plate."""
    window = landmarks.window
    y, x = window.scatter(window.cell.nucleus, window.many(rng.integers(4, 11)), rng=rng)
    return Drawn(_points(window, y, x, radii=(0.15, 0.3), rng=rng), _rest(landmarks, look))


def released(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """What was nucleoplasm fills the ball, and some of it stays on the chromosomes."""
    window = landmarks.window
    bound = look.uniform(0.5, 1.5)
    grain = 1 + 0.1 * window.grain(0.8, rng=rng)
    return Drawn((_ball(landmarks) + bound * window.nucleus) * grain)


def speckles(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Speckles round up and drift in the ball."""
    window = landmarks.window
    y, x = window.scatter(window.edge > 1.0, window.many(rng.integers(8, 20)), rng=rng)
    return Drawn(_points(window, y, x, radii=(0.4, 0.8), rng=rng), 2 * _rest(landmarks, look))


def bodies(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Bodies are as small as before, anywhere in the ball."""
    window = landmarks.window
    y, x = window.scatter(window.edge > 1.0, window.many(rng.integers(3, 12)), rng=rng)
    return Drawn(_points(window, y, x, radii=(0.2, 0.45), rng=rng), 2 * _rest(landmarks, look))


def golgi(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """The ribbon has broken into small pieces all over the cell."""
    return _scattered(landmarks, look, rng=rng, count=(40, 90), radii=(0.15, 0.4))


def vesicles(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Points around the spindle."""
    return _scattered(landmarks, look, rng=rng, count=(20, 120), radii=(0.1, 0.45))


def mitochondria(
    landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator
) -> Drawn:
    """Short tubes around the spindle."""
    window = landmarks.window
    count = window.many(rng.integers(40, 90))
    y, x = window.scatter(_outer(landmarks), count, rng=rng)
    time = np.linspace(0, 1, window.steps(2.5))[None, :]
    heading = rng.uniform(0, 2 * np.pi, (len(y), 1)) + rng.normal(0, 1, (len(y), 1)) * time
    pace = rng.uniform(0.8, 2.5, (len(y), 1)) / time.shape[1]
    lines = (
        y[:, None] + np.cumsum(pace * np.sin(heading), axis=1),
        x[:, None] + np.cumsum(pace * np.cos(heading), axis=1),
    )
    return Drawn(window.strokes(lines, width=0.4), _rest(landmarks, look))


def cage(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Intermediate filaments lie around the spindle and under the edge."""
    window = landmarks.window
    net = window.mesh(0.9, rng=rng)
    cage = net * (1 - 0.8 * _made(landmarks).inside) * window.body
    return Drawn(cage, _rest(landmarks, look))


def cortex(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """Actin is a shell under the membrane."""
    window = landmarks.window
    rim = np.exp(-0.5 * np.square((window.edge - 0.4) / 0.7)) * window.body
    uneven = np.maximum(1 + 0.25 * window.grain(2.0, rng=rng), 0.2)
    return Drawn(rim * uneven, 2 * _rest(landmarks, look))


def aggresome(landmarks: Landmarks, look: np.random.Generator, rng: np.random.Generator) -> Drawn:
    """The blob stays, pushed aside by the spindle."""
    window = landmarks.window
    y, x = window.scatter(_outer(landmarks), 1, rng=rng)
    blob = _points(window, y, x, radii=(1.0, 2.2), rng=rng)
    return Drawn(np.minimum(1.5 * blob, 1.0) * window.body, _rest(landmarks, look))


def _made(landmarks: Landmarks) -> Spindle:
    if landmarks.spindle is None:
        raise ValueError(f"Cell {landmarks.window.cell.id} does not divide: it has no spindle.")
    return landmarks.spindle


def _ball(landmarks: Landmarks) -> Plane:
    """The cell without its plate, thick in the middle."""
    window = landmarks.window
    thick = np.minimum(0.4 + window.edge / 5.0, 1.0) * window.body
    return np.asarray(thick * (1 - 0.7 * window.nucleus), np.float32)


def _rest(landmarks: Landmarks, look: np.random.Generator) -> Plane:
    return np.asarray(look.uniform(0.02, 0.12) * _ball(landmarks), np.float32)


def _outer(landmarks: Landmarks) -> Mask:
    """Where organelles are in metaphase: outside the spindle, inside the edge."""
    return np.asarray((_made(landmarks).inside < 0.3) & (landmarks.window.edge > 0.8))


def _scattered(
    landmarks: Landmarks,
    look: np.random.Generator,
    *,
    rng: np.random.Generator,
    count: tuple[int, int],
    radii: tuple[float, float],
) -> Drawn:
    window = landmarks.window
    y, x = window.scatter(_outer(landmarks), window.many(rng.integers(*count)), rng=rng)
    points = _points(window, y, x, radii=radii, rng=rng)
    return Drawn(points, _rest(landmarks, look))


def _points(
    window: Window, y: Numbers, x: Numbers, *, radii: tuple[float, float], rng: np.random.Generator
) -> Plane:
    return window.spots(
        (y, x),
        radii=rng.uniform(*radii, len(y)),
        heights=rng.uniform(0.6, 1.2, len(y)),
    )


def _poles(window: Window, made: Spindle, *, radius: float) -> Plane:
    y, x = np.array(made.poles).T
    return window.spots(
        (y, x),
        radii=np.full(2, radius),
        heights=np.ones(2),
    )
