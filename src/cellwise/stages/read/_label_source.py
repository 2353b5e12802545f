"""Where the labels of a folder come from: the person's file, else what the layout declares."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from cellwise.contracts.layout import Arrangement, Problem
from cellwise.domain.classes import split_labels
from cellwise.domain.missing import is_missing
from cellwise.domain.plain_words import counted
from cellwise.domain.quantities import Quantities, dose_unit, read_quantities
from cellwise.domain.records import Site
from cellwise.domain.screens.needs import metadata_columns
from cellwise.domain.screens.wells import WELL_TYPES, unknown_types
from cellwise.errors import BadOption
from cellwise.stages.read._assemble import Assembly
from cellwise.stages.read._columns import plain_name
from cellwise.stages.read._fields import Fields
from cellwise.stages.read._keys import Keys, find_keys
from cellwise.stages.read._labels import Joined, join_labels
from cellwise.stages.read._tables import LabelTable, read_label_table
from cellwise.stages.read.label_columns import join_label_columns
from cellwise.stages.read.label_words import Cleaned, clean_labels, compare_spellings
from cellwise.stages.read.spec import Options
from cellwise.store.worlds.class_lists import class_list, named_lists

_SHOWN_WORDS = 3
_PLAIN_NUMBER = re.compile(r"[+-]?[\d.,\s]*\d[\d.,\s]*([eE][+-]?\d+)?")
_GENOTYPES = ("genotype", "mutant", "mutation", "allele", "strain", "knockout", "gene")


def find_labels(
    assembly: Assembly, arrangement: Arrangement, options: Options, *, folder: str
) -> Joined | None:
    """Labels from the person's file, else those that the layout declares, else None.

    Args:
        assembly: The sites of the folder.
        arrangement: What the layout declares.
        options: Settings of the step.
        folder: Name of the folder, which may be that of its only plate.

    Raises:
        PreflightError: A labels file that cannot be used.
        BadOption: A setting that does not fit it.
    """
    if options.labels:
        table = join_label_columns(read_label_table(Path(options.labels)), options.label)
        table = _with_dose_units(table)
        fields = Fields(assembly.sites, assembly.wished, folder=folder)
        keys = find_keys(fields, table, key=options.key, label=options.label)
        table, cleaned = _cleaned_table(table, keys, arrangement, options)
        joined = join_labels(assembly.sites, table, keys, fields)
        problems = (*joined.problems, *cleaned.problems, *_dose_problems(table))
        notes = (*joined.notes, *cleaned.notes, *_dose_notes(table), _join_note(table, keys))
        return dataclasses.replace(joined, problems=problems, notes=notes)
    if options.key or options.label:
        raise BadOption("read.key and read.label speak of a labels file: give it with --labels.")
    if arrangement.labels is None or options.declared == "ignore":
        return None
    return _declared(assembly, arrangement, options)


def _cleaned_table(
    table: LabelTable, keys: Keys, arrangement: Arrangement, options: Options
) -> tuple[LabelTable, Cleaned]:
    cleaned = clean_labels(
        [row[keys.label] for row in table.rows],
        where=f"{table.path.name}, column {keys.label}",
        declared=_class_names(arrangement, options),
        genotypes=plain_name(keys.label) in _GENOTYPES,
        separator=options.separator,
        spelling=options.spelling,
    )
    rows = tuple(
        {**row, keys.label: text} for row, text in zip(table.rows, cleaned.texts, strict=True)
    )
    return dataclasses.replace(table, rows=rows), cleaned


def _class_names(arrangement: Arrangement, options: Options) -> tuple[str, ...]:
    """The classes that the person declares, or for which the layout stands."""
    wanted = options.classes if options.classes != "auto" else arrangement.classes
    if wanted in named_lists():
        return class_list(wanted).names
    return split_labels(wanted) or ()


def _declared(assembly: Assembly, arrangement: Arrangement, options: Options) -> Joined:
    assert arrangement.labels is not None
    declared = {
        site_id: arrangement.labels[wish]
        for site_id, wish in assembly.wished.items()
        if wish in arrangement.labels
    }
    # Who names a folder or writes a challenge's table means its words: none is one for no label.
    cleaned = compare_spellings(
        [split_labels(text) or () for text in declared.values()],
        where=Path(arrangement.labels_file).name or "folder names",
        declared=_class_names(arrangement, options),
        spelling=options.spelling,
    )
    without = tuple(site.id for site in assembly.sites if site.id not in declared)
    absent = sum(problem.code == "label_without_image" for problem in arrangement.problems)
    counts = {
        "label_rows": len(arrangement.labels) + absent,
        "label_rows_doubled": 0,
        "labels_without_image": absent,
        "images_without_label": len(without),
    }
    labels = dict(zip(declared, cleaned.texts, strict=True))
    return Joined(labels, {}, cleaned.problems, counts, without, cleaned.notes)


def _join_note(table: LabelTable, keys: Keys) -> str:
    by = ", ".join(dict.fromkeys(key.title for key in keys.joined))
    return f"{table.path.name} is joined by {by}; the labels are those of {keys.label}."


def _doses(table: LabelTable) -> list[tuple[str, Quantities]]:
    """The columns that are called as doses, read as numbers."""
    units = {name: dose_unit(name) for name in table.columns if name}
    return [
        (name, read_quantities([row[name] for row in table.rows], unit=unit))
        for name, unit in units.items()
        if unit is not None
    ]


def _with_dose_units(table: LabelTable) -> LabelTable:
    """The table with the units of a column of their own (`dose`, `dose_unit`) behind the numbers.

    Without them 10 nM would count as more than 0.1 µM. What is no plain number stays as it is: it
    has its unit already, or none.
    """
    doses = [name for name in table.columns if name and dose_unit(name) == ""]
    units = {plain_name(name): name for name in table.columns if name}
    pairs = [
        (dose, units[word])
        for dose in doses
        for word in (f"{plain_name(dose)}unit", f"{plain_name(dose)}units", "unit", "units")
        if word in units and (len(doses) == 1 or word not in ("unit", "units"))
    ]
    rows = table.rows
    for dose, unit in pairs:
        rows = tuple(
            row
            if not _PLAIN_NUMBER.fullmatch(row[dose]) or is_missing(row[unit])
            else {**row, dose: f"{row[dose]} {row[unit]}"}
            for row in rows
        )
    return dataclasses.replace(table, rows=rows)


def _dose_notes(table: LabelTable) -> list[str]:
    return [
        f"{name} is read as numbers{_in_unit(found)}."
        for name, found in _doses(table)
        if found.typed and any(value is not None for value in found.values)
    ]


def _dose_problems(table: LabelTable) -> list[Problem]:
    return [
        Problem(
            "dose_unreadable",
            table.path.name,
            f"{name}: {found.unread} of {counted(len(table.rows), 'rows')} without a number "
            f"that can be read{_in_unit(found)}: {found.examples()}.",
            "Write numbers in one unit, such as 0.03 or 30 nM, and leave unknown ones empty.",
            set_aside=False,
        )
        for name, found in _doses(table)
        if found.unread
    ]


def _in_unit(found: Quantities) -> str:
    return f" in {found.unit}" if found.unit else ""


def unknown_well_types(sites: Sequence[Site], labels_file: str) -> list[Problem]:
    """Name the columns whose words say of some wells nothing that is known.

    Args:
        sites: With all that file names and tables say of them.
        labels_file: What the tables are called; empty where there is none.
    """
    return [
        Problem(
            "well_type_unknown",
            labels_file or name,
            f"{name}: of {counted(sum(words.values()), 'sites')} it says in words that are not "
            f"known what the well is there for: "
            f"{', '.join(f'{text!r} ({count})' for text, count in words.most_common(_SHOWN_WORDS))}"
            f"{', ...' if len(words) > _SHOWN_WORDS else ''}. They count as neither control nor "
            "treatment.",
            f"Write {', '.join(WELL_TYPES[:-1])} or {WELL_TYPES[-1]}.",
            set_aside=False,
        )
        for name, words in unknown_types(metadata_columns(sites)).items()
    ]
