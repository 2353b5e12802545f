"""What a page shows as output, held against what came out."""

import re

LEFT_OUT = "..."
DECIMAL = r"\d+\.\d+"


def difference(shown, came):
    """What is wrong, in one sentence; empty where the output is as the page shows it.

    Spaces and empty lines do not count. A line `...` stands for any lines, `...` in a line for any
    text, and a number with a decimal point for those that differ by one in its last digit at most.
    """
    lines, parts = _lines(came), [[]]
    for line in _lines(shown):
        if line == LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line)
    at = 0
    for number, part in enumerate(parts):
        first, last = number == 0, number == len(parts) - 1
        ends = [len(lines) - len(part)] if last and not first else range(at, len(lines) + 1)
        starts = [at] if first else [start for start in ends if start >= at]
        found = next((s for s in starts if _alike(part, lines[s : s + len(part)])), None)
        if found is None:
            return _wrong(part, lines[at:])
        at = found + len(part)
    return f"this came and is not shown: {lines[at]!r}" if at < len(lines) else ""


def _lines(text):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _alike(part, lines):
    return len(part) == len(lines) and all(map(_same, part, lines))


def _same(shown, came):
    pieces = re.split(rf"({re.escape(LEFT_OUT)}|{DECIMAL})", shown)
    numbers = [piece for piece in pieces if re.fullmatch(DECIMAL, piece)]
    kinds = {LEFT_OUT: ".*?"}
    pattern = "".join(
        f"({DECIMAL})" if re.fullmatch(DECIMAL, piece) else kinds.get(piece, re.escape(piece))
        for piece in pieces
    )
    match = re.fullmatch(pattern, came)
    return match is not None and all(map(_near, numbers, match.groups()))


def _near(shown, came):
    unit = 10.0 ** -len(shown.partition(".")[2])
    return abs(float(shown) - float(came)) <= 1.001 * unit


def _wrong(part, lines):
    """The line of the page that did not come, beside what came."""
    absent = next((line for line in part if not any(_same(line, one) for one in lines)), None)
    if absent is None:
        return f"these lines did not come in this order: {part}; what came: {lines}"
    return f"the page shows {absent!r}; what came:\n" + "\n".join(lines)
