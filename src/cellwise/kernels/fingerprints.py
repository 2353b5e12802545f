"""Perceptual fingerprints of images, and which images are one and the same by them.

A fingerprint is the signs of the cosine transform of a image made small. Another file format,
another size, another brightness or contrast change few of them; another place on the slide changes
half of them. The 64 coarsest find who may be alike, about 1,000 finer ones decide.

Sources: perceptual hashes by cosine transform, Zauner 2010, in 64 bits with a distance of 12 by the
HPA 2021 system "Raman" after the winner of HPA 2018; tables of pieces of a hash whose near
neighbours are all looked up, Norouzi, Punjani and Fleet 2012 ("Fast search in Hamming space").
"""

import cv2
import numba
import numpy as np
import numpy.typing as npt
from scipy.fft import dctn

Words = npt.NDArray[np.uint64]

# Side of the small image, of the frequencies that decide, and of those that find.
_SIDE, _FINE, _COARSE = 64, 32, 8
WORDS = 1 + _FINE * _FINE // 64
# A copy in other clothes differs by 6 of 64 at most, other places by 14 at least.
_WITHIN = 11
# Two pieces of the hash of a copy, of four, have at most so many bits turned.
_PIECES, _TURNED = 4, _WITHIN // 4
# Of the finer bits: over all channels, and in each. Chance gives 0.5 with a deviation of 0.016.
_LEAST, _LEAST_EACH = 0.85, 0.65
# Pictures with one piece of hash that one is compared with: more are alike in nothing but light.
_MOST_ALIKE = 2000


def fingerprint(plane: npt.NDArray[np.float32]) -> Words:
    """The fingerprint of a image `[y, x]`: one word of coarse bits, 16 of fine ones.

    All zero for a image of one value, which is like any other.
    """
    low, high = float(plane.min()), float(plane.max())
    if not high > low:
        return np.zeros(WORDS, np.uint64)
    small = cv2.resize(plane - np.float32(low), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    waves = dctn(small.astype(np.float64) / (high - low), norm="ortho")[:_FINE, :_FINE]
    coarse = waves[:_COARSE, :_COARSE]
    bits = np.concatenate([(coarse > np.median(coarse)).ravel(), (waves > 0).ravel()])
    words: Words = np.packbits(bits, bitorder="little").view(np.uint64)
    return words


def same_images(
    prints: Words, series: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.int64]:
    """`[site]`: the first site that shows the same as this one; its own number where none does.

    Who is the same as one that is the same as another is the same as that: connected components.
    The work grows about as the number of sites.

    Args:
        prints: `[site, channel, word]`, zero where a site lacks a channel or it has one value.
        series: `[site]`; sites of one number are times of one field and no copies. -1 for none.
    """
    count = len(prints)
    first = np.arange(count)
    known = np.asarray((prints != 0).any(axis=2))
    if count < 2 or not known.any():
        return first
    apart = np.full(count, -1, np.int64) if series is None else np.asarray(series, np.int64)
    distinct = [len(np.unique(prints[known[:, c], c, 0])) for c in range(prints.shape[1])]
    looked = int(np.argmax(distinct))
    sites = np.flatnonzero(known[:, looked])
    hashes = np.ascontiguousarray(prints[sites, looked, 0])
    fine = np.ascontiguousarray(prints[:, :, 1:])
    turns = _turns(64 // _PIECES, _TURNED)
    for piece in range(_PIECES):
        keys = ((hashes >> np.uint64(16 * piece)) & np.uint64(0xFFFF)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        starts = np.r_[0, np.cumsum(np.bincount(keys, minlength=1 << 16))]
        _join(hashes, keys, order, starts, turns, sites, fine, known, apart, first)
    return _roots(first)


def agreement(one: Words, other: Words) -> npt.NDArray[np.float64]:
    """`[channel]`: the share of fine bits that two sites `[channel, word]` have in common."""
    differ = np.bitwise_count(one[:, 1:] ^ other[:, 1:]).sum(axis=1)
    shares: npt.NDArray[np.float64] = 1 - differ / (64 * (WORDS - 1))
    return shares


def _turns(bits: int, most: int) -> npt.NDArray[np.int64]:
    """All numbers of so many bits with at most `most` of them set."""
    every = np.arange(1 << bits, dtype=np.int64)
    return every[np.bitwise_count(every) <= most]


def _roots(first: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    while True:
        further = first[first]
        if np.array_equal(further, first):
            return first
        first = further


@numba.njit(cache=True, nogil=True)
def _ones(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """How many bits are set (Warren, Hacker's Delight, 5-1)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + (
        (word >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@numba.njit(cache=True, nogil=True)
def _root(first, site):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while first[site] != site:
        first[site] = first[first[site]]
        site = first[site]
    return site


@numba.njit(cache=True, nogil=True)
def _alike(fine, known, a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether two sites agree in each channel that both have, and over all of them."""
    words = fine.shape[2]
    total, channels = 0, 0
    for c in range(fine.shape[1]):
        if known[a, c] != known[b, c]:
            return False
        if not known[a, c]:
            continue
        differ = 0
        for w in range(words):
            differ += _ones(fine[a, c, w] ^ fine[b, c, w])
        if differ > (1 - _LEAST_EACH) * 64 * words:
            return False
        total += differ
        channels += 1
    return channels > 0 and total <= (1 - _LEAST) * 64 * words * channels


@numba.njit(cache=True, nogil=True)
def _join(hashes, keys, order, starts, turns, sites, fine, known, apart, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Join sites whose hashes are near in this piece and near in all, where finer bits agree."""
    for i in range(len(hashes)):
        a = sites[i]
        for turn in turns:
            begin, end = starts[keys[i] ^ turn], starts[(keys[i] ^ turn) + 1]
            looked = 0
            for at in range(begin, end):
                j = order[at]
                if j <= i:
                    continue
                looked += 1
                if looked > _MOST_ALIKE:
                    break
                b = sites[j]
                if apart[a] >= 0 and apart[a] == apart[b]:
                    continue
                if _ones(hashes[i] ^ hashes[j]) > _WITHIN:
                    continue
                one, other = _root(first, a), _root(first, b)
                if one != other and _alike(fine, known, a, b):
                    first[max(one, other)] = min(one, other)
