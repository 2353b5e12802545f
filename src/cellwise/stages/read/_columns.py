"""What the columns of a labels file are called: parts of a field's place, its names, its label.

Names are compared without case, separators and the prefix `Metadata_`. Sources: the columns of
CellProfiler, CytoTable, the Cell Painting Gallery (`well_position`, `Assay_Plate_Barcode`), RxRx1
and the two HPA challenges.
"""

import re
import shlex
from collections.abc import Iterable, Sequence

from cellwise.domain.missing import is_missing
from cellwise.errors import BadOption, PreflightError
from cellwise.stages.read._tables import LabelTable

_WORDS = {
    "well": "well wells wellposition wellname wellid wellcode wellnumber wellno wellpos",
    "plate": "plate plateid platename platebarcode platenumber plateno barcode assayplate "
    "assayplatebarcode assaybarcode platecode",
    "experiment": "experiment experimentid experimentname",
    "row": "row wellrow platerow rowname rowid rowletter",
    "column": "column col wellcolumn wellcol platecolumn platecol columnid colid columnnumber",
    "site": "site siteid sitenumber siteno field fieldid fieldnumber fieldno fieldindex fov fovid "
    "fovnumber fieldofview",
    "name": "image imageid imagename img imgid imgname file fileid filename imagefile "
    "imagefilename path filepath imagepath url rawid fieldname sitename fovname",
    "time": "time timepoint timepointnumber timepointid timeindex frame frameid framenumber",
    "id": "id ids idcode identifier name sample sampleid",
}
ROLES = {word: role for role, words in _WORDS.items() for word in words.split()}
# CellProfiler writes a column per channel: `Image_FileName_DNA`, `FileName_OrigER`.
_PER_CHANNEL = re.compile(r"(image_?)?(file_?name|url)_.+", re.IGNORECASE)
_PREFIX = re.compile(r"(image_)?metadata_", re.IGNORECASE)

_SHOWN = 6
_SURE_WORDS = "label labels class classes classlabel classlabels classname imagelabel"
_LIKELY_WORDS = (
    "genotype treatment compound compoundname celltype cellline perturbation perturbationname "
    "condition drug drugname sirna gene genename genesymbol moa mechanism mechanismofaction target "
    "targets phenotype category group annotation annotations diagnosis disease tissue strain "
    "mutant mutation knockdown knockout staining localization localisation location locations "
    "pert pertname pertiname broadsample"
)
_SURE, _LIKELY = frozenset(_SURE_WORDS.split()), frozenset(_LIKELY_WORDS.split())


def plain_name(column: str) -> str:
    """A column's name without `Metadata_`, case and separators."""
    return re.sub(r"[\W_]+", "", _PREFIX.sub("", column.strip())).casefold()


def metadata_name(column: str) -> str:
    """The name without `Metadata_`, which tables of a run put in front again."""
    return re.sub(r"(?i)^metadata_", "", column.strip()) or column


def role_of(column: str) -> str:
    """Which part of a field's place, or which name of it, a column is called; empty for others."""
    if _PER_CHANNEL.fullmatch(column.strip()):
        return "name"
    return ROLES.get(plain_name(column), "")


def label_columns(table: LabelTable) -> list[str]:
    """The columns that could hold the labels, by their names; the person settles which of them."""
    sure = [name for name in _named(table) if plain_name(name) in _SURE]
    return sure or [name for name in _named(table) if plain_name(name) in _LIKELY]


def chosen_columns(table: LabelTable, chosen: str, *, what: str) -> list[str]:
    """The columns that a setting names, joined by commas; case is ignored where that is clear.

    Raises:
        BadOption: One of them is no column of the table.
    """
    names = _named(table)
    texts = [chosen] if chosen in names else [text.strip() for text in chosen.split(",")]
    found = []
    for text in [text for text in texts if text]:
        alike = [name for name in names if name == text] or [
            name for name in names if name.casefold() == text.casefold()
        ]
        if len(alike) != 1:
            raise BadOption(
                f"{table.path} has no column {text!r} (read.{what}). It has: {', '.join(names)}."
            )
        found.append(alike[0])
    return list(dict.fromkeys(found))


def refuse_open(
    table: LabelTable,
    keys: Sequence[str],
    labels: Sequence[str],
    together: Sequence[str],
    *,
    open_key: bool,
) -> None:
    """Refuse a table whose label, or key, is not clear; everything that is open is said at once.

    Args:
        table: The table.
        keys: The key columns, or those that could be it where `open_key`.
        labels: The columns that could hold the labels.
        together: Columns that hold the labels together, if there are such.
        open_key: Whether it is open which column is the key.

    Raises:
        PreflightError: Names all candidates and the words that settle it.
    """
    settings, said = [], []
    if open_key:
        said.append(
            f"which column says what field a row is about ({_or(keys)})"
            if keys
            else "which column says what field a row is about: none is called `well`, `plate`, "
            "`site`, `image`, `file`, `ID` or alike"
        )
        settings.append(("key", keys[0] if keys else "COLUMN"))
    if len(labels) != 1:
        which = f"which column holds the labels ({_or(labels)})" if labels else ""
        if together and not labels:
            which = f"which columns hold the labels: {_and(together)} could hold them together"
        said.append(
            which
            or "which column holds the labels: none is called `label`, `class`, `treatment`, "
            "`genotype` or alike"
        )
        rest = [name for name in _named(table) if name not in keys and not role_of(name)]
        # A column that says the same everywhere tells nothing apart.
        telling = [n for n in (labels or rest) if len({row[n] for row in table.rows}) > 1]
        named = [n for n in telling if _holds_classes(table, n)]
        one = next(iter([*named, *telling, *labels, *rest]), "COLUMN")
        settings.append(("label", ",".join(together) if together and not labels else one))
    if settings:
        above = (
            " The first line was taken as the column names; if they stand below it, remove what is "
            "above them."
            if table.problems and open_key
            else ""
        )
        raise PreflightError(
            f"{table.path}: it is open {'; and '.join(said)}. It has the columns "
            f"{', '.join(_named(table))}. Say it, such as: {words(settings)}{above}"
        )


def _holds_classes(table: LabelTable, name: str) -> bool:
    """Whether a column holds words, of which some stand in several rows, as classes do."""
    texts = [row[name] for row in table.rows if not is_missing(row[name])]
    return len(set(texts)) < len(texts) and not any(text[:1].isdigit() for text in texts)


def words(settings: Iterable[tuple[str, str]]) -> str:
    """Settings of this step, ready to be pasted behind a command."""
    return " ".join(f"--set {shlex.quote(f'read.{name}={value}')}" for name, value in settings)


def _named(table: LabelTable) -> list[str]:
    return [name for name in table.columns if name]


def _or(names: Sequence[str], word: str = "or") -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"


def _and(names: Sequence[str]) -> str:
    shown = names if len(names) <= _SHOWN else [*names[: _SHOWN - 1], names[-1]]
    return _or(shown, "and")
