"""The key of each step: what its result depends on, and nothing else.

Keys follow from what steps declare. How a noun's content counts is said by the noun (`counts`):
`files` by their bytes, the others by one function each below.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import takewhile
from typing import Any

from cellwise.domain import tables
from cellwise.domain.nouns import CURATION, PROVIDED
from cellwise.domain.specs import Read
from cellwise.errors import BadOption
from cellwise.flow.pipeline.contents import content_digest, content_path
from cellwise.flow.pipeline.keys import combine, digest, file_digest
from cellwise.flow.pipeline.state import State, log_name
from cellwise.flow.recipe.kinds import step_module
from cellwise.flow.recipe.references import named_place, named_steps, uses, writer
from cellwise.flow.recipe.resolve import Step
from cellwise.store.run.tables import read_table

# Named in the key of no step: the read is checked, and its content counts through another one.
UNNAMED = "-"
# Ways of counting that only a step that works site by site can take.
_OF_SITES = ("files_of_site", "fold_of_site")


def base_key(step: Step, *, state: State) -> str:
    """Options and version of a step, seed and device where they matter; contents for paths."""
    spec, module = step.spec, step_module(step.kind)
    options = dict(step.options)
    for content in spec.contents:
        if not content.apart and options.get(content.option):
            options[content.option] = content_digest(
                content, step, earlier=state.earlier, folders=state.folders
            )
    seed = state.request.seed if spec.draws else None
    named = state.request.keyed_device or state.request.device
    device = named if spec.device else None
    parts = getattr(module, "key_parts", None)
    beside = parts(options, named) if parts else []
    if hasattr(module, "key_options"):
        options = module.key_options(options)
    return digest(step.kind, spec.version, options, seed, device, *beside)


def check_counts(step: Step) -> None:
    """Refuse reads that no key can take in.

    Raises:
        BadOption: With the step and what it reads.
    """
    of_sites = step.spec.grain == "site"
    for read in (*step.spec.reads, *step.spec.finish_reads):
        ways = [*_COUNTS, *(_OF_SITES if of_sites and read.noun.per_site else ())]
        if read.under != UNNAMED and read.noun.counts not in ways:
            raise BadOption(
                f"Step {step.title!r} reads {read.noun.name!r}, which counts by "
                f"{read.noun.counts!r}; there is: {', '.join(ways)}."
            )
    own = [read for read in step.spec.reads if read.noun.per_site and not read.optional]
    if of_sites and not any(read.noun.counts != _OF_SITES[1] for read in own):
        raise BadOption(
            f"Step {step.title!r} works site by site and reads nothing that each site has."
        )


def table_key(step: Step, *, state: State) -> str:
    """The key of a step that works on whole tables."""
    return _whole_key(step, step.spec.reads, ordered=step.spec.ordered, state=state)


def former_keys(step: Step, *, state: State) -> list[str]:
    """The keys that a step had before it worked site by site; none where it always has."""
    return [
        _whole_key(step, former.reads, ordered=former.ordered, state=state)
        for former in step.spec.former
    ]


def finish_key(step: Step, *, state: State) -> str:
    """What only the merge of a site step depends on; empty for nothing."""
    if not any(uses(step, read) for read in step.spec.finish_reads):
        return ""
    return digest(*(_content(step, read, state=state) for read in step.spec.finish_reads))


def site_keys(
    step: Step, *, state: State, assumed: Mapping[str, dict[str, str]] | None = None
) -> dict[str, str]:
    """The key of every site that a site step has to treat.

    Args:
        step: The step.
        state: The run.
        assumed: Keys of sites by the name of a step's records, in place of those that are done.
    """
    base = _with_classes(step, state=state)
    reads = [read for read in _counted(step, step.spec.reads, state=state) if uses(step, read)]
    columns: list[tuple[str, dict[str, str] | Any]] = []
    sites: set[str] | None = None
    for read in reads:
        if not read.noun.per_site:
            columns.append((read.under or read.noun.name, _content(step, read, state=state)))
            continue
        keys, required = _keys_of_sites(step, read, state=state, assumed=assumed or {})
        columns.append((read.under or read.noun.name, keys))
        if required:
            sites = set(keys) if sites is None else sites & set(keys)
    if step.spec.ordered:
        return {
            site: digest(base, *(_of(column, site) for _, column in columns))
            for site in sorted(sites or ())
        }
    return {
        site: digest(base, {name: _of(column, site) for name, column in columns})
        for site in sorted(sites or ())
    }


def _of(column: Any, site: str) -> Any:
    return column.get(site, "") if isinstance(column, dict) else column


def _keys_of_sites(
    step: Step, read: Read, *, state: State, assumed: Mapping[str, dict[str, str]]
) -> tuple[dict[str, str], bool]:
    """A key per site, and whether only these sites can be treated."""
    if read.noun.counts == _OF_SITES[0]:
        return state.file_keys(), True
    if read.noun.counts == _OF_SITES[1]:
        return {site: str(fold) for site, fold in state.folds().items()}, False
    keys: dict[str, str] = {}
    first = True
    for source in _sources(step, read, state=state):
        # Of several the keys are joined: a site needs all of them.
        found = assumed.get(log_name(source)) or state.active_keys(source)
        joined = {s: combine([keys[s], k]) for s, k in found.items() if s in keys}
        keys, first = (found if first else joined), False
    return keys, not read.optional


def _sources(step: Step, read: Read, *, state: State) -> list[Step]:
    steps = state.request.recipe.steps
    # By title: options may have been adapted to what this run lacks.
    before = list(takewhile(lambda other: other.title != step.title, steps))
    names = [name for _, name in named_steps(step, read)] if read.by else [""]
    return [found for name in names if (found := writer(read.noun, before, name)) is not None]


def _counted(step: Step, reads: Iterable[Read], *, state: State) -> list[Read]:
    """The reads that keys take in: a late one only where its option is set, or it is written."""
    return [
        read
        for read in reads
        if read.under != UNNAMED
        and not _late(step, read)
        and (not read.late or _is_there(step, read, state=state))
    ]


def _is_there(step: Step, read: Read, *, state: State) -> bool:
    """Whether a step of the recipe writes what is read, or it is there and no step's."""
    if read.noun.name in {noun.name for noun in PROVIDED}:
        return bool(_content(step, read, state=state))
    return bool(_sources(step, read, state=state))


def _late(step: Step, read: Read) -> bool:
    """Whether a read came with an option that is not set: finished runs know nothing of it."""
    late = set(step.spec.late)
    if read.when in late and not uses(step, read):
        return True
    return bool(read.by) and set(read.by) <= late and not any(named_steps(step, read))


def _whole_key(step: Step, reads: Iterable[Read], *, ordered: bool, state: State) -> str:
    base = _with_classes(step, state=state)
    counted = _counted(step, reads, state=state)
    if ordered:
        parts = [_content(step, read, state=state) for read in counted]
        return digest(base, *parts, *_apart(step, state=state)) if parts else base
    content: dict[str, Any] = {}
    for read in counted:
        name = read.under or read.noun.name
        found = _content(step, read, state=state)
        content[name] = [*_listed(content[name]), *_listed(found)] if name in content else found
    return digest(base, content, *_apart(step, state=state))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _apart(step: Step, *, state: State) -> list[str]:
    named = [c for c in step.spec.contents if c.apart and content_path(c, step) is not None]
    return [
        content_digest(content, step, earlier=state.earlier, folders=state.folders)
        for content in named
    ]


def _with_classes(step: Step, *, state: State) -> str:
    base = base_key(step, state=state)
    return digest(base, state.classes_digest()) if step.spec.classes else base


def _content(step: Step, read: Read, *, state: State) -> Any:
    """What a read counts by: a digest, or a list of them where it may be of several steps."""
    return _COUNTS[read.noun.counts](step, read, state) if uses(step, read) else ""


def _files(step: Step, read: Read, state: State) -> str | list[str]:
    place = read.noun.place
    if read.by:
        # The place follows from the kind of the step that writes it.
        steps = state.request.recipe.steps
        writers = [(name, writer(read.noun, steps, name)) for _, name in named_steps(step, read)]
        paths = [
            state.run.path / named_place(read.noun, name, kind=found.kind if found else "")
            for name, found in writers
        ]
        if read.many:
            return [file_digest(path) for path in paths]
        return file_digest(paths[0]) if paths else ""
    if "*" in place:
        return [file_digest(path) for path in sorted(state.run.path.glob(place))]
    return file_digest(state.run.path / place)


def _models(step: Step, read: Read, state: State) -> str:
    names = [name for _, name in named_steps(step, read)]
    if not names:
        return ""
    # Where models are applied, those that are read are the finished run's.
    applied = state.request.fitted if not step.spec.fits else None
    home = applied or state.run.path
    paths = sorted(home.glob(named_place(read.noun, names[0], kind=step.kind)))
    return combine(f"{path.parent.name} {file_digest(path)}" for path in paths)


def _fitted(step: Step, read: Read, state: State) -> str:
    home = state.request.fitted
    place = named_place(read.noun, step.name, kind=step.kind)
    return file_digest(home / place) if home else ""


def _site_results(step: Step, read: Read, state: State) -> str:
    keys = [state.active_keys(source) for source in _sources(step, read, state=state)]
    return combine(f"{site} {key}" for found in keys for site, key in sorted(found.items()))


def _labelled_results(step: Step, read: Read, state: State) -> str:
    """What the cells of labelled sites depend on; unlabelled ones do not disturb a training."""
    keys = [state.active_keys(source) for source in _sources(step, read, state=state)]
    chosen = state.labelled()
    return combine(
        f"{site} {key}" for found in keys for site, key in sorted(found.items()) if site in chosen
    )


def _labelled_folds(step: Step, read: Read, state: State) -> str:
    return state.labelled_folds_digest()


def _not_teaching(step: Step, read: Read, state: State) -> str:
    """The labelled fields that the recipe's step `curate` sets aside; empty for none."""
    writes = writer(CURATION, state.request.recipe.steps, "")
    path = state.run.path / CURATION.place
    if writes is None or not path.is_file():
        return ""
    table = read_table(path, tables.CURATION, columns=["site_id", "teaches"])
    fields = table.filter(~table["teaches"])["site_id"].sort().to_list()
    return combine(fields) if fields else ""


_COUNTS: dict[str, Callable[[Step, Read, State], Any]] = {
    "files": _files,
    "listing": lambda step, read, state: state.listing,
    "site_facts": lambda step, read, state: state.site_facts_digest(),
    "field_labels": lambda step, read, state: state.field_labels_digest(),
    "sites": _site_results,
    "labelled_sites": _labelled_results,
    "labelled_folds": _labelled_folds,
    "labelled_facts": lambda step, read, state: state.labelled_facts_digest(),
    "models": _models,
    "fitted": _fitted,
    "recipe": lambda step, read, state: state.request.recipe.digest,
    "not_teaching": _not_teaching,
    "set_aside": lambda step, read, state: state.errors(),
}
