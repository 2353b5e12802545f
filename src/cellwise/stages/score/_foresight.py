"""Whether the models of a finished run can read the channels of new images."""

from collections import Counter

from cellwise.domain.channels import ROLES
from cellwise.domain.foresight import FolderFacts, Foresight, Refusal
from cellwise.domain.records import Site
from cellwise.domain.steps import Job
from cellwise.errors import FormatError
from cellwise.stages.score.spec import Options
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.models import CARD_FILE, ModelCard, read_card


def foresight_of(job: Job, options: Options, folder: FolderFacts) -> Foresight:
    """Refuse a folder none of whose fields has all channels; warn of channels that none reads."""
    if job.fitted is None:
        return Foresight()
    home = RunFolder(job.fitted)
    cards = _cards(home, f"{options.model}/*")
    if not cards:
        return Foresight()
    wanted = [channel.key for channel in cards[0].channels]
    sets = [keys for keys, _ in Counter(_keys(s) for s in folder.sites).most_common()]
    if sets and not any(set(wanted) <= set(keys) for keys in sets):
        missing = [key for key in wanted if key not in sets[0]]
        names = {channel.key: channel.name for channel in folder.channels}
        spare = [names.get(key, key) for key in sets[0] if key not in wanted]
        said = " or ".join(f"--set 'read.roles.{name}={missing[0]}'" for name in spare)
        cure = f"If one of these shows it, say which: {said}."
        if not spare:
            cure = "Add the files of that channel."
        elif missing[0] not in ROLES:
            cure = "Name the files of that channel as the images were named that were learned from."
        return Foresight((
            Refusal(
                f"The models read channel {', '.join(missing)}, which is not here "
                f"(found: {', '.join(sets[0])}).",
                cure,
                "channel_missing",
            ),
        ))  # fmt: skip
    read = {channel.key for card in _cards(home, "*/*") for channel in card.channels}
    extra = [channel.name for channel in folder.channels if channel.key not in read]
    if not extra or not read:
        return Foresight()
    return Foresight(
        warnings=(
            f"The models do not read channel {', '.join(extra)}: they learned without it "
            f"(from {', '.join(sorted(read))}).",
        )
    )


def _keys(site: Site) -> tuple[str, ...]:
    return tuple(channel.key for channel in site.channels)


def _cards(home: RunFolder, pattern: str) -> list[ModelCard]:
    """The cards that can be read; torn ones are refused elsewhere."""
    found = []
    for path in sorted((home.path / "models").glob(f"{pattern}/{CARD_FILE}")):
        try:
            found.append(read_card(path.parent))
        except FormatError:
            continue
    return found
