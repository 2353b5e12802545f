"""Field labels from a table: which column is the key, which the label, and what each row means.

The key column is `site_id`, `ID`, `image` or `file`, or `well` with an optional `plate`; the label
column is `label`, `Label` or `labels`, written `a|b|c`, empty for unlabelled. All other columns
become metadata. Joins ignore case and surrounding blanks; wells are compared as `A01`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from cellwise.contracts.layout import Problem
from cellwise.domain.records import Site, normalise_well
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.read._tables import LabelTable

KEYS = ("site_id", "id", "image", "file", "well")
LABELS = ("label", "labels")
_PLACE = {"plate": "Plate", "well": "Well", "site": "Site"}


@dataclass(frozen=True, slots=True)
class Joined:
    """Labels and metadata by site id, and how the join went.

    Args:
        labels: Label text of each site that a row was found for; empty = unlabelled.
        metadata: Further columns of each such site.
        problems: Rows without image, contradictory and malformed rows.
        counts: Rows, doubled rows, rows without image, sites without a row.
        without_row: Ids of the sites that no row is about.
    """

    labels: dict[str, str]
    metadata: dict[str, dict[str, str]]
    problems: tuple[Problem, ...]
    counts: dict[str, int]
    without_row: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def key_column(table: LabelTable, chosen: str = "") -> str:
    """The column that says which site a row is about.

    Raises:
        BadOption: `chosen` is no column of the table.
        PreflightError: None, or two, could be it.
    """
    return _column(table, chosen, KEYS, what="key", example="site_id, ID, image, file or well")


def label_column(table: LabelTable, chosen: str = "") -> str:
    """The column that holds the labels; errors as `key_column`."""
    return _column(table, chosen, LABELS, what="label", example="label or labels")


def join_labels(
    sites: Sequence[Site], wished: Mapping[str, str], table: LabelTable, *, key: str, label: str
) -> Joined:
    """Give each site the row that is about it.

    Args:
        sites: All sites of the folder.
        wished: For each site id the id before forbidden characters were replaced.
        table: The rows.
        key: Key column.
        label: Label column.
    """
    by_id = _names_of(sites, wished)
    by_well = _wells_of(sites)
    by_place = _places_of(sites)
    # `A01` may also be the name of one site, on another plate than the row means.
    only_wells = key.lower() == "well" and bool(by_well)
    use_wells = only_wells or not any(_tidy(row[key]) in by_id for row in table.rows)
    plates = _Plates(sites, table)
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    problems = list(table.problems)
    absent = 0
    for row in table.rows:
        ids = [] if only_wells else by_id.get(_tidy(row[key]), [])
        if not ids and use_wells:
            ids = plates.narrow(by_well.get(normalise_well(row[key]) or "", []), row)
            ids = ids or by_place.get(_tidy(row[key]), [])
        for site_id in ids:
            found[site_id].append(row)
        if not ids and row[label]:
            absent += 1
            problems.append(_no_image(table, key, row))
    labels, metadata, doubled = _settle(found, table, key=key, label=label, problems=problems)
    without = tuple(site.id for site in sites if site.id not in labels)
    counts = {
        "label_rows": len(table.rows),
        "label_rows_doubled": doubled,
        "labels_without_image": absent,
        "images_without_label": len(without),
    }
    return Joined(labels, metadata, tuple(problems), counts, without, (*table.notes, *plates.notes))


def _column(
    table: LabelTable, chosen: str, candidates: Sequence[str], *, what: str, example: str
) -> str:
    names = [name for name in table.columns if name]
    if chosen:
        if chosen not in names:
            raise BadOption(
                f"{table.path} has no column {chosen!r} (read.{what}). It has: {', '.join(names)}."
            )
        return chosen
    found = [name for name in names if name.lower() in candidates]
    settle = f"Say which: --set read.{what}=COLUMN."
    if len(found) > 1:
        raise PreflightError(
            f"{table.path}: both {found[0]!r} and {found[1]!r} could be the {what} column. {settle}"
        )
    if not found:
        raise PreflightError(
            f"{table.path} has no {what} column ({example}); it has {', '.join(names)}. {settle}"
        )
    return found[0]


def _tidy(text: str) -> str:
    return text.strip().replace("\\", "/").removeprefix("./").casefold()


def _names_of(sites: Sequence[Site], wished: Mapping[str, str]) -> dict[str, list[str]]:
    """Every text by which a table may call a site; a text that means two sites means neither."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    exact: dict[str, str] = {}
    for site in sites:
        exact.setdefault(_tidy(site.id), site.id)
        texts = {site.id, wished.get(site.id, site.id), site.raw_id, site.raw_id.split("/")[-1]}
        for entry in site.files:
            for path in entry.paths:
                pure = PurePosixPath(path.split("#z=")[0])
                texts |= {str(pure), pure.name, pure.stem, str(pure.with_suffix(""))}
        for text in texts:
            names[_tidy(text)][site.id] = None
    single = {text: list(ids) for text, ids in names.items() if len(ids) == 1}
    return {**single, **{text: [site_id] for text, site_id in exact.items()}}


def _wells_of(sites: Sequence[Site]) -> dict[str, list[Site]]:
    wells: dict[str, list[Site]] = defaultdict(list)
    for site in sites:
        if "Well" in site.metadata:
            wells[site.metadata["Well"]].append(site)
    return wells


def _places_of(sites: Sequence[Site]) -> dict[str, list[str]]:
    """Sites by `{plate}_{well}`, which is what RxRx1 calls `id_code`."""
    places: dict[str, list[str]] = defaultdict(list)
    for site in sites:
        plate, well = site.metadata.get("Plate"), site.metadata.get("Well")
        if plate and well:
            places[_tidy(f"{plate}_{well}")].append(site.id)
    return places


class _Plates:
    """Which sites of a well a row means: by its plate, where both sides name plates."""

    def __init__(self, sites: Sequence[Site], table: LabelTable) -> None:
        names = {name.lower(): name for name in table.columns}
        self._column = names.get("plate")
        self._sites = {_plate(site.metadata.get("Plate", "")) for site in sites}
        stated = {_plate(row[self._column]) for row in table.rows} if self._column else set()
        # One plate on each side is the same plate, whatever each side calls it.
        self._compare = self._column is not None and not (
            len(self._sites) == 1 and len(stated) == 1
        )
        self.notes: list[str] = []
        if self._column is None and len(self._sites) > 1:
            self.notes.append(
                f"{table.path.name} names no plate: its wells are those of all "
                f"{len(self._sites)} plates."
            )

    def narrow(self, sites: Sequence[Site], row: Mapping[str, str]) -> list[str]:
        if not self._compare or self._column is None:
            return [site.id for site in sites]
        wanted = _plate(row[self._column])
        return [s.id for s in sites if _plate(s.metadata.get("Plate", "")) == wanted]


def _plate(text: str) -> str:
    return text.strip().casefold().removeprefix("plate").strip("_- ").lstrip("0")


def _no_image(table: LabelTable, key: str, row: Mapping[str, str]) -> Problem:
    return Problem(
        "label_without_image",
        table.path.name,
        f"The label of {row[key]!r} (column {key}) belongs to no image.",
        "Add the image, or remove the row.",
        set_aside=False,
    )


def _settle(
    found: Mapping[str, list[dict[str, str]]],
    table: LabelTable,
    *,
    key: str,
    label: str,
    problems: list[Problem],
) -> tuple[dict[str, str], dict[str, dict[str, str]], int]:
    """One label per site; rows that say the same are counted, rows that disagree are listed."""
    labels: dict[str, str] = {}
    metadata: dict[str, dict[str, str]] = {}
    doubled = 0
    for site_id, rows in found.items():
        texts = sorted({_sorted_words(row[label]) for row in rows})
        doubled += len(rows) - 1
        if len(texts) > 1:
            problems.append(
                Problem(
                    "label_contradiction",
                    table.path.name,
                    f"{site_id} has different labels: {' and '.join(map(repr, texts))}; "
                    "it is taken as unlabelled.",
                    "Keep one row.",
                    site_id,
                    set_aside=False,
                )
            )
        labels[site_id] = rows[0][label] if len(texts) == 1 else ""
        metadata[site_id] = {
            _PLACE.get(name.lower(), name): value
            for name, value in rows[0].items()
            if name not in (key, label) and value
        }
    return labels, metadata, doubled


def _sorted_words(text: str) -> str:
    return "|".join(sorted({word.strip() for word in text.split("|") if word.strip()}))
