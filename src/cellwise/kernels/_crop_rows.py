"""The loops behind `crop`: rows are added up with their weights, all columns at once, then columns.

Each loop runs over neighbouring numbers in memory without a decision, so that a processor takes
eight of them at a time. Unsigned numbers index without a check for negative ones, a loop reads few
enough arrays that none could overlap what it writes, and no slices are taken, whose books would
have to be kept: each would undo a part of that.
"""

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, fastmath={"contract"})  # type: ignore[untyped-decorator]
def cut_cells(pixels, labels, ids, outlines, windows, gains, strict, result, coverage) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Fill `result[cell, channel, y, x]` and `coverage[cell, y, x]`.

    Args:
        pixels: `[channel, y, x]` in C order.
        labels: `[y, x]`, unsigned, in C order.
        ids: Numbers of the cells.
        outlines: Boxes `[cell, (y0, x0, y1, x1)]`.
        windows: `[cell, (top, left, side)]` in source pixels.
        gains: What background and other cells are multiplied by, and the unit of the pixels.
        strict: None where no pixel can be NaN; otherwise such pixels are looked for.
        result: float32, overwritten.
        coverage: float32, overwritten.
    """
    channels, height, width = pixels.shape
    size = result.shape[2]
    longest = 0
    for cell in range(len(ids)):
        longest = max(longest, int(np.ceil(windows[cell, 2])))
    # Beyond the window lie zeros, so that the sums over the last columns stay inside.
    length = max(2 * longest + 8, size)
    sums = np.zeros((channels + 1, length), np.float32)
    gain = np.empty((2, length), np.float32)
    places, shares = np.zeros(size, np.uint64), np.zeros((3, length), np.float32)
    middle, whole = np.zeros(length, np.float32), np.zeros(length, np.float32)
    for cell in range(len(ids)):
        top, left, side = windows[cell]
        step = side / size
        reach = max(step, 1.0)
        origin = int(np.floor(left + 0.5 * (step - reach)))
        first_row = top + 0.5 * (step - reach)
        low_y, high_y, first, last = 0, height, max(origin, 0), min(origin + int(side) + 3, width)
        # Where everything outside the cell is zero, nothing outside its box needs to be read.
        if gains[0] == 0 and gains[1] == 0:
            low_y, high_y = outlines[cell, 0], outlines[cell, 2]
            first, last = max(first, outlines[cell, 1]), min(last, outlines[cell, 3])
        area = np.uint64(first), np.uint64(max(last - first, 0)), np.uint64(first - origin)
        sums[:] = 0
        middle[:] = 0
        _place_columns(left + 0.5 * (step - reach) - origin, step, places, shares)
        for i in range(size):
            begin = first_row + i * step
            start = max(int(np.floor(begin)), low_y)
            stop = min(int(np.ceil(begin + reach)), high_y)
            if stop <= start or last <= first:
                result[cell, :, i] = 0
                coverage[cell, i] = 0
                continue
            rows = start, stop, begin, reach
            _add_rows(pixels, labels, ids[cell], area, rows, gains, strict, gain, sums)
            place = np.uint64(cell), np.uint64(i)
            _average_columns(sums, step, places, shares, middle, whole, place, result, coverage)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _add_rows(pixels, labels, number, area, rows, gains, strict, gain, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sum the source rows of one output row, two at a time; the last of `sums` is coverage."""
    _, count, offset = area
    start, stop, begin, reach = rows
    end = begin + reach
    for c in range(np.uint64(len(sums))):
        for x in range(count):
            sums[c, offset + x] = np.float32(0)
    for y in range(start, stop, 2):
        upper, lower = np.uint64(y), np.uint64(y + 1)
        weight = np.float32((min(end, y + 1.0) - max(begin, float(y))) / reach**2)
        _weigh_row(labels, number, area, upper, weight, gains, gain, np.uint64(0), sums)
        if y + 1 == stop:
            _add_one(pixels, area, upper, gain, strict, sums)
        else:
            weight = np.float32((min(end, y + 2.0) - (y + 1.0)) / reach**2)
            _weigh_row(labels, number, area, lower, weight, gains, gain, np.uint64(1), sums)
            _add_two(pixels, area, upper, gain, strict, sums)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _weigh_row(labels, number, area, y, weight, gains, gain, which, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """What each pixel of a row is multiplied by, unit included; coverage sums the cell's own."""
    first, count, offset = area
    covered = np.uint64(len(sums)) - np.uint64(1)
    inside, nothing = labels.dtype.type(number), labels.dtype.type(0)
    full = weight * gains[2]
    background, others = full * gains[0], full * gains[1]
    for x in range(count):
        label = labels[y, first + x]
        own = label == inside
        sums[covered, offset + x] += weight if own else np.float32(0)
        gain[which, x] = full if own else (background if label == nothing else others)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _add_one(pixels, area, y, gain, strict, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    first, count, offset = area
    zero = np.uint64(0)
    for c in range(np.uint64(len(pixels))):
        for x in range(count):
            value = np.float32(pixels[c, y, first + x])
            sums[c, offset + x] += _gained(value, gain[zero, x], strict)


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _add_two(pixels, area, y, gain, strict, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    first, count, offset = area
    zero, one = np.uint64(0), np.uint64(1)
    for c in range(np.uint64(len(pixels))):
        for x in range(count):
            upper = np.float32(pixels[c, y, first + x])
            lower = np.float32(pixels[c, y + one, first + x])
            both = _gained(upper, gain[zero, x], strict) + _gained(lower, gain[one, x], strict)
            sums[c, offset + x] += both


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _gained(value, factor, strict):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    # A select, not only a product, where a masked NaN must not survive; whole numbers have none.
    if strict is None:
        return value * factor
    return (value if factor > np.float32(0) else np.float32(0)) * factor


@numba.njit(cache=True, nogil=True)
def _place_columns(left, step, places, shares):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Where the output columns begin, and what they take of source columns; once per cell.

    Down-scaling: an output takes a part of its first column, all of the next `floor(step) - 1`, and
    parts of the two after those. The parts are noted at its first column, so that a row can be
    averaged for all source columns at once, and outputs are picked at their `places`.
    Up-scaling: a box of one source pixel; its overlaps with two columns are the bilinear weights.
    """
    shares[:] = 0
    if step < 1:
        for j in range(len(places)):
            places[j] = int(np.floor(left + j * step))
            shares[0, j] = left + j * step - np.floor(left + j * step)
        return
    inner = int(np.floor(step))
    start, spent = int(np.floor(left)), left - np.floor(left)
    for j in range(len(places)):
        border = left + (j + 1) * step
        # Rounding must not make a width that is neither of the two.
        stop = min(max(int(np.floor(border)), start + inner), start + inner + 1)
        part = min(max(border - stop, 0.0), 1.0)
        places[j] = start
        shares[0, start] = 1.0 - spent
        shares[1, start] = part if stop == start + inner else 1.0
        shares[2, start] = 0.0 if stop == start + inner else part
        start, spent = stop, part


@numba.njit(cache=True, nogil=True, fastmath={"contract"})
def _average_columns(sums, step, places, shares, middle, whole, place, result, coverage):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """One output row from the summed source rows; their weights hold the division by the width."""
    cell, i = place
    zero, one, two = np.uint64(0), np.uint64(1), np.uint64(2)
    size, inner = np.uint64(len(places)), np.uint64(np.floor(step))
    channels = np.uint64(len(sums)) - one
    # Up to the last place and no further; what is right of the frame is zero.
    wide = places[size - one] + one
    beside = np.float32(1 if inner > one else 0)
    for c in range(channels + one):
        if step < 1:
            for j in range(size):
                here = sums[c, places[j]]
                whole[j] = here + shares[zero, j] * (sums[c, places[j] + one] - here)
        else:
            if inner > two:
                for x in range(wide):
                    middle[x] = sums[c, x + two]
                for k in range(np.uint64(3), inner):
                    for x in range(wide):
                        middle[x] += sums[c, x + k]
            for x in range(wide):
                near = shares[zero, x] * sums[c, x] + beside * sums[c, x + one] + middle[x]
                far = shares[one, x] * sums[c, x + inner]
                whole[x] = near + far + shares[two, x] * sums[c, x + inner + one]
        if c < channels:
            for j in range(size):
                result[cell, c, i, j] = whole[places[j] if step >= 1 else j]
        else:
            for j in range(size):
                coverage[cell, i, j] = whole[places[j] if step >= 1 else j]
