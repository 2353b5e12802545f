"""The tables of wells, written or, where there are no wells, taken away."""

from cellwise.domain.steps import Job
from cellwise.domain.tables import WELL_PREDICTIONS, WELLS
from cellwise.stages.decide._decision import Decision
from cellwise.stages.decide._predictions import beside, write_predictions
from cellwise.stages.decide.wells.predictions import well_predictions
from cellwise.stages.decide.wells.shares import Wells, wells_frame
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.tables import write_table


def write_wells(run: RunFolder, job: Job, wells: Wells | None, decision: Decision) -> None:
    """Write the wells of a run and their predictions.

    Args:
        run: The run folder.
        job: The step.
        wells: None where the run has none.
        decision: What cells were decided by.
    """
    path = beside(run.predictions_well, job.name)
    if wells is None:
        # Of an earlier reading of the folder: whoever finds a table believes it.
        for stale in (path, beside(run.wells, job.name)):
            stale.unlink(missing_ok=True)
        return
    frame, chance = well_predictions(wells, decision)
    write_predictions(path, WELL_PREDICTIONS, frame, chance, decision)
    table = wells_frame(wells, decision, seed=job.seed)
    write_table(beside(run.wells, job.name), WELLS, table)
