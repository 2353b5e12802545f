"""The last lines of a run: what was done, what may be trusted, where to look."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellwise.domain.held_out import TOO_GOOD, labels_pass_on
from cellwise.domain.plain_words import counted, problems_said
from cellwise.store.run.copies import copies_said
from cellwise.store.run.folder import RunFolder, read_json

if TYPE_CHECKING:
    from cellwise.flow.pipeline.run import Outcome
    from cellwise.flow.pipeline.shards.work import ShardOutcome

_HEADLINES = (
    ("well_macro_ap", "macro AP on held-out wells"),
    ("site_macro_ap", "macro AP on held-out fields"),
    ("out_of_batch_accuracy_free", "right treatments in new experiments"),
    ("in_batch_accuracy_free", "right treatments in known experiments"),
)


def print_ending(outcome: "Outcome") -> None:
    """Print the closing lines of a run."""
    run = RunFolder(outcome.run)
    counts, aside = outcome.counts, set_aside_said(run)
    # Recipes of whole fields look for none.
    cells = f"{counted(counts.get('cells', 0), 'cells')} · " if run.cells.is_file() else ""
    print(
        f"done in {_minutes(outcome.seconds)} · {counted(counts.get('sites', 0), 'sites')} · "
        f"{cells}{aside} set aside"
        f"{f' ({run.quarantine})' if aside != 'nothing' else ''} · exit {outcome.exit_code}"
    )
    for line in (
        *_unlike(run),
        *_partly_joined(run),
        *_noticed(run),
        *_copies(run),
        *_headlines(run),
    ):
        print(line)
    if run.report.is_file():
        print(f"open {run.report}   or   cellwise view {outcome.run}")


def print_waiting(outcome: "Outcome") -> None:
    """Print the closing lines of a run that ended where shards go on."""
    print(
        f"merged in {_minutes(outcome.seconds)} · next for shards: {outcome.waiting} · "
        f"exit {outcome.exit_code}"
    )


def print_shard_ending(outcome: "ShardOutcome") -> None:
    """Print the closing line of a shard."""
    if not outcome.steps:
        print(f"shard {outcome.part}: nothing is left for shards before --merge or --finish")
        return
    aside = counted(outcome.set_aside, "sites") if outcome.set_aside else "nothing"
    print(
        f"shard {outcome.part} done in {_minutes(outcome.seconds)} · {', '.join(outcome.steps)} · "
        f"{counted(outcome.sites, 'sites')} · {aside} set aside · exit {outcome.exit_code}"
    )


def set_aside_said(run: RunFolder) -> str:
    """What was set aside, fields before other inputs: `2 fields`, `nothing`."""
    from cellwise.store.run.set_aside import count_set_aside

    fields, others = count_set_aside(run)
    parts = [counted(fields, "fields")] if fields else []
    parts += [counted(others, "other inputs" if fields else "inputs")] if others else []
    return " and ".join(parts) or "nothing"


def _unlike(run: RunFolder) -> list[str]:
    """Why answers for these images may mean nothing, where a finished run was applied to them."""
    record = read_json(run.record) if run.record.is_file() else {}
    return [str(words) for words in record.get("unlike") or []]


def _partly_joined(run: RunFolder) -> list[str]:
    """A line for each run of an ensemble that says nothing of some cells."""
    record = read_json(run.record) if run.record.is_file() else {}
    given = {one["name"]: one["options"] for one in record.get("recipe", {}).get("steps", ())}
    found = []
    for step in record.get("steps", ()):
        without = step["counts"].get("without", 0) if step["kind"] == "member" else 0
        if without:
            said = step["counts"]["cells"]
            found.append(
                f"{Path(given[step['name']]['predictions']).parent} says something of {said:,} of "
                f"{said + without:,} cells: the others are judged by the other runs alone."
            )
    return found


def _noticed(run: RunFolder) -> list[str]:
    """One line for what reading noticed without setting a field aside, such as labels too many."""
    problems = read_json(run.reading)["problems"] if run.reading.is_file() else []
    noted = [problem for problem in problems if not problem["set_aside"]]
    unread = [f"{p['reason']} {p['remedy']}" for p in noted if p["code"] == "not_read"]
    said = problems_said(p["code"] for p in noted if p["code"] != "not_read")
    return [*unread, *([f"noticed: {', '.join(said)} ({run.reading})"] if said else [])]


def _copies(run: RunFolder) -> list[str]:
    """A line for each kind of images that are there twice."""
    from cellwise.domain.tables import PIXELS
    from cellwise.store.run.tables import read_table

    return copies_said(read_table(run.pixels, PIXELS).to_dicts()) if run.pixels.is_file() else []


def _headlines(run: RunFolder) -> list[str]:
    if not run.metrics.is_file():
        return []
    metrics: dict[str, Any] = read_json(run.metrics)["metrics"]
    lines = []
    for name, words in _HEADLINES:
        metric = metrics.get(name)
        if metric and metric["value"] is not None:
            interval = (
                f" [{metric['low']:.2f}-{metric['high']:.2f}]" if metric["low"] is not None else ""
            )
            lines.append(f"{words} {metric['value']:.2f}{interval} (n={metric['n']:,})")
    if lines and labels_pass_on(read_json(run.record).get("steps") or []):
        lines.append(TOO_GOOD)
    return lines


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
