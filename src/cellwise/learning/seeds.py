"""Seeds as pure functions of where a training stands.

Nothing here remembers anything, so a resumed training cannot differ from an undisturbed one.
"""

import numpy as np
import numpy.typing as npt

_TILES = 10**6 + 1


def derived_seed(*numbers: int) -> int:
    """One seed for several numbers, none of which is lost: (seed, epoch, batch) and the like."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def drawn_corners(
    positions: npt.NDArray[np.int64], seed: int, epoch: int, *, size: int, tile: int
) -> npt.NDArray[np.int64]:
    """`[n, 2]`: the upper left corner (y, x) of one tile of each item, each tile equally likely.

    Args:
        positions: Of the items; one that comes twice gets another draw.
        seed: Of the training.
        epoch: Its number.
        size: Side of the items in pixels.
        tile: Side of the tiles, which lie in rows.
    """
    beside = size // tile
    # Another family of generators than that of augmentations, whose draws stay what they were.
    rngs = item_generators(positions, derived_seed(seed, _TILES), epoch=epoch)
    number = np.array([rng.integers(beside * beside) for rng in rngs], np.int64)
    return tile * np.stack([number // beside, number % beside], axis=1)


def item_generators(
    positions: npt.NDArray[np.int64], seed: int, *, epoch: int
) -> list[np.random.Generator]:
    """A generator per item, from (seed, epoch, item); a cell twice in a bag gets another one."""
    met: dict[int, int] = {}
    generators = []
    for position in positions.tolist():
        again = met[position] = met.get(position, -1) + 1
        generators.append(np.random.default_rng((seed, epoch, position, again)))
    return generators
