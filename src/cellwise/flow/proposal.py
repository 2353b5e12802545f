"""The recipe that fits a folder where nobody names one: the first rule that holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellwise.domain.plain_words import counted
from cellwise.errors import PreflightError, UsageError
from cellwise.flow.recipe.load import load_recipe
from cellwise.flow.recipe.resolve import resolve

WITHOUT_LABELS = "segment-only"
_HPA, _RXRX1, _PLATE, _ONE_CLASS = (
    "features-quick",
    "rxrx1-quick",
    "plate-quick",
    "one-class-features",
)
# Of fewer a network learns less than measured features tell.
_SCREEN_WELLS, _SCREEN_EXPERIMENTS = 100, 3
# What trains a network in place of measuring: for who sets epochs, a net or a rate.
_WITH_NETWORKS = {_HPA: "hpa-quick", _ONE_CLASS: "one-class"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A recipe by name, and why it is proposed, in a few words."""

    recipe: str
    why: str


def propose(reading: Any, given: Mapping[str, Any] | None = None) -> Proposal:
    """The recipe that `run` takes for a folder.

    Settings that a recipe of measured features does not know, and its sister with networks does,
    such as epochs, say that networks are meant.

    Rules, in order: no labels; the classes of the HPA challenge; the layout of RxRx1, where wells
    and experiments are enough to learn treatments from whole sites; several labels on a field; a
    Negative, or wells without a label beside labelled ones (controls); else one label for each
    field.

    Args:
        reading: The folder as it was read, a `stages.read` reading.
        given: Dotted path to value, as set for the run.

    Raises:
        PreflightError: Labels are given, and none of them is about a field of this folder.
    """
    found = _by_fields(reading)
    sister = _WITH_NETWORKS.get(found.recipe)
    if sister and not _knows(found.recipe, given) and _knows(sister, given):
        return Proposal(sister, f"{found.why}; settings of networks")
    return found


def _knows(recipe: str, given: Mapping[str, Any] | None) -> bool:
    """Whether the recipe can be run with these settings."""
    try:
        resolve(load_recipe(recipe), given)
    except UsageError:
        return False
    return True


def _by_fields(reading: Any) -> Proposal:
    labelled = [site for site in reading.usable if site.labels is not None]
    if not labelled:
        _refuse_labels_of_nothing(reading)
        return Proposal(WITHOUT_LABELS, "no labels")
    if reading.layout == "hpa" or reading.class_list == "hpa19":
        return Proposal(_HPA, "the classes of the HPA challenge")
    if reading.layout == "rxrx1" and _is_screen(labelled):
        return Proposal(_RXRX1, "laid out as RxRx1, treatments in several experiments")
    several = sum(len(site.labels or ()) > 1 for site in labelled)
    if several:
        return Proposal(_HPA, f"several labels on {several} of {len(labelled)} labelled fields")
    negative = reading.classes.negative if reading.classes else None
    if negative and any(negative in (site.labels or ()) for site in labelled):
        return Proposal(_PLATE, f"one label for each field, {negative} is one of them")
    wells = {_well(site) for site in labelled} - {None}
    others = {_well(site) for site in reading.usable if site.labels is None} - wells - {None}
    if wells and others:
        return Proposal(
            _PLATE, f"{counted(len(wells), 'labelled control wells')}, {len(others)} without label"
        )
    return Proposal(_ONE_CLASS, "one label for each field, no Negative")


def _is_screen(labelled: Sequence[Any]) -> bool:
    """Whether a network can learn treatments and be judged on experiments that it has not seen.

    That takes a hundred labelled wells, three experiments of one cell type, and treatments of
    which most occur in two experiments, of which most hold several; else measured features do more.
    """
    wells = {_well(site) for site in labelled} - {None}
    experiments: dict[str, set[str]] = {}
    treatments: dict[str, set[str]] = {}
    kinds: dict[str, set[str]] = {}
    for site in labelled:
        experiment = site.metadata.get("Experiment", "")
        for label in site.labels:
            treatments.setdefault(label, set()).add(experiment)
            experiments.setdefault(experiment, set()).add(label)
        kinds.setdefault(site.metadata.get("CellType", ""), set()).add(experiment)
    several = min(
        sum(len(own) > 1 for own in one.values()) / len(one) for one in (treatments, experiments)
    )
    most = max(len(own) for own in kinds.values())
    return len(wells) >= _SCREEN_WELLS and most >= _SCREEN_EXPERIMENTS and several > 0.5


def _well(site: Any) -> tuple[str | None, ...] | None:
    if "Well" not in site.metadata:
        return None
    return tuple(site.metadata.get(name) for name in ("Experiment", "Plate", "Well"))


def _refuse_labels_of_nothing(reading: Any) -> None:
    if not reading.labels_file:
        return
    ids = [site.raw_id for site in reading.usable[:3]]
    called = f"fields are called {', '.join(ids)}" if ids else "no field is usable"
    raise PreflightError(
        f"{reading.labels_file} labels none of the {counted(len(reading.usable), 'usable fields')} "
        f"({counted(reading.counts.get('label_rows', 0), 'rows')}; {called}). Correct its key or "
        "label column, or leave the labels out to segment only."
    )
