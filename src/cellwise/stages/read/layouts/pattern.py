"""Names as the user describes them: `{plate}_{well}_s{site}_w{channel}`.

Source: the file-name patterns of CellProfiler's Metadata module (McQuin et al. 2018), without
regular expressions. The words are `{plate}`, `{well}`, `{site}`, `{channel}`, `{z}` and `{ignore}`;
`*` stands for anything. A pattern with `/` also describes folders, counted from the file upwards;
without it the folders (other than `images`) name the plate. The ending of the file may be left out.
"""

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from cellwise.contracts.layout import Arrangement, Layout, Listing, Plane
from cellwise.domain.records import normalise_well
from cellwise.errors import BadOption, PreflightError
from cellwise.registry import did_you_mean
from cellwise.stages.read.listing import IMAGE_ENDINGS
from cellwise.stages.read.names import SINGLE, meaning_folders, plain_number, well_place

_WORDS = {
    "plate": r"[^/]+?",
    "well": r"[A-Za-z]{1,2}[-_ ]*\d{1,2}",
    "site": r"[^/]+?",
    "channel": r"[^/]+?",
    "z": r"\d+",
    "ignore": r"[^/]*?",
}
_TOKEN = re.compile(r"\{([^{}]*)\}|(\*)")


def build(pattern: str) -> Layout:
    """Make the layout for this pattern.

    Raises:
        BadOption: A word that does not exist, or a pattern without any.
    """
    expression = _compile(pattern)

    def recognise(listing: Listing) -> float | None:
        fitting = sum(_fit(expression, path, pattern) is not None for path in listing.images)
        return 1.0 if fitting else None

    return Layout(recognise, _arranger(pattern, expression))


def _compile(pattern: str) -> "re.Pattern[str]":
    parts, end = [], 0
    seen: set[str] = set()
    for token in _TOKEN.finditer(pattern):
        parts.append(re.escape(pattern[end : token.start()]))
        end = token.end()
        word = "ignore" if token[2] else token[1].rstrip("0123456789")
        if word not in _WORDS:
            known = [f"{{{name}}}" for name in _WORDS]
            raise BadOption(
                f"--pattern {pattern!r}: there is no word {{{token[1]}}}."
                f"{did_you_mean(f'{{{word}}}', known)} There is: {', '.join(known)}."
            )
        if word == "ignore":
            parts.append(f"(?:{_WORDS[word]})")
        elif word in seen:
            parts.append(f"(?P={word})")
        else:
            seen.add(word)
            parts.append(f"(?P<{word}>{_WORDS[word]})")
    if not seen:
        raise BadOption(f"--pattern {pattern!r} has no word such as {{well}} or {{channel}}.")
    parts.append(re.escape(pattern[end:]))
    return re.compile("".join(parts), re.IGNORECASE)


def _fit(expression: "re.Pattern[str]", path: str, pattern: str) -> "re.Match[str] | None":
    pure = PurePosixPath(path)
    depth = pattern.count("/") + 1
    shown = "/".join(pure.parts[-depth:])
    if not pattern.lower().endswith(IMAGE_ENDINGS):
        shown = shown.removesuffix(pure.suffix)
    match = expression.fullmatch(shown)
    well = match.groupdict().get("well") if match else None
    return match if well is None or normalise_well(well) else None


def _arranger(pattern: str, expression: "re.Pattern[str]") -> Callable[[Listing], Arrangement]:
    def arrange(listing: Listing) -> Arrangement:
        planes, rest = [], []
        for path in listing.images:
            match = _fit(expression, path, pattern)
            if match is None:
                rest.append(path)
            else:
                planes.append(_plane(path, match, has_folders="/" in pattern))
        if not planes:
            raise PreflightError(
                f"No image fits --pattern {pattern!r}; the first is {listing.images[0]!r}."
            )
        return Arrangement(tuple(planes), tuple(rest))

    return arrange


def _plane(path: str, match: "re.Match[str]", *, has_folders: bool) -> Plane:
    groups = {name: text or "" for name, text in match.groupdict().items()}
    folders = () if has_folders else meaning_folders(path)
    plate = groups.get("plate") or "_".join(folders)
    well, site = groups.get("well", ""), plain_number(groups.get("site", ""))
    raw = "/".join((*folders, _without(match, ("channel", "z"))))
    site_id, metadata = well_place(plate, well, site)
    return Plane(
        # A pattern without plate, well or site leaves the rest of the name to tell sites apart.
        site_id=site_id if well or site else raw,
        raw_id=raw,
        channel=groups.get("channel") or SINGLE,
        path=path,
        z=int(groups.get("z") or 0),
        metadata=metadata,
    )


def _without(match: "re.Match[str]", words: tuple[str, ...]) -> str:
    """The matched text without these words and without separators that are left at its end."""
    text = match.string
    spans = sorted(
        (match.span(word) for word in words if word in match.re.groupindex), reverse=True
    )
    for start, end in spans:
        text = text[:start] + text[end:]
    return re.sub(r"[\W_]+(?:w|ch|c|z)?[\W_]*$", "", text, flags=re.IGNORECASE) or match.string
