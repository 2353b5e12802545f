"""Why a step runs again, in words for the user."""

from collections.abc import Collection, Mapping

from cellwise.flow.pipeline.done import TABLE, Done

# Set aside for a reason that may be gone without a trace in the file itself.
PASSING = ("worker_died", "not_found", "unreadable", "unreadable_folder")


def may_have_passed(record: Done) -> bool:
    """Whether a site that was set aside deserves another try."""
    return record.error is not None and record.error["code"] in PASSING


def why_sites(
    todo: Collection[str], latest: Mapping[str, Done], keys: Mapping[str, str], *, options: str
) -> str:
    """What made sites of a step necessary; empty where the step runs for the first time.

    Args:
        todo: Sites that will be done.
        latest: The records so far.
        keys: The current keys.
        options: The options that changed, in words.
    """
    if not any(site != TABLE for site in latest):
        return ""
    known = [site for site in todo if site in latest]
    same = [site for site in known if latest[site].key == keys[site]]
    again = sum(latest[site].error is not None for site in same)
    counts = {
        "new": len(todo) - len(known),
        "changed": len(known) - len(same),
        "set aside before, tried again": again,
        "missing": len(same) - again,
    }
    words = [f"{count} {what}" for what, count in counts.items() if count]
    return "; ".join([text for text in (options, ", ".join(words)) if text])


def why_table(record: Done | None, key: str, *, options: str) -> str:
    """What made a table step necessary; empty where it runs for the first time."""
    if record is None:
        return ""
    if record.key == key:
        return "its result was missing"
    return options or "its input changed"
