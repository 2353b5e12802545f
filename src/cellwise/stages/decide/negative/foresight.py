"""What can be said of the negative class before any pixel is read."""

from cellwise.domain.foresight import FolderFacts, Foresight, Refusal
from cellwise.domain.steps import Job
from cellwise.stages.decide.negative.rules import LEARNED
from cellwise.stages.decide.spec import Options


def foresee(job: Job, folder: FolderFacts) -> Foresight:
    """Refuse to learn what a negative cell is where no field, or every field, is labelled so."""
    options = Options.of(job.options)
    asked = options.negative == LEARNED or options.negative_lowers_others
    labelled = [site.labels for site in folder.sites if site.labels and site.part != "test"]
    if not asked or folder.classes is None or not labelled:
        return Foresight()
    name, setting = folder.classes.negative, f"{job.name}.negative=product"
    if name is None:
        lowering = f"{job.name}.negative_lowers_others=false"
        settings = ((setting,) if options.negative == LEARNED else ()) + (
            (lowering,) if options.negative_lowers_others else ()
        )
        reason = f"Step {job.name!r} works on the negative class, and the class list has none."
        remedy = f"Give {' '.join(f'--set {each}' for each in settings)}."
        return Foresight((Refusal(reason, remedy, "no_negative", settings),))
    fields = sum(labels == (name,) for labels in labelled)
    if options.negative != LEARNED or 0 < fields < len(labelled):
        return Foresight()
    reason = (
        f"Step {job.name!r} learns from labels which cells are {name}, and {fields} of "
        f"{len(labelled)} labelled fields are labelled so."
    )
    remedy = f"Label fields with and without it, or give --set {setting}."
    return Foresight((Refusal(reason, remedy, "no_negative", (setting,)),))
