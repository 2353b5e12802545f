"""How far a call without a shard takes a run, and what it makes of the work of shards."""

from typing import Any, Protocol

from cellwise.domain.nouns import SITES
from cellwise.errors import PreflightError
from cellwise.flow.pipeline.events import LOG, EventLog
from cellwise.flow.pipeline.reasons import not_passed_over
from cellwise.flow.pipeline.shards.plan import (
    differences,
    facts_of,
    plan_of,
    read_plan,
    write_plan,
)
from cellwise.flow.pipeline.shards.stretch import stretch_from
from cellwise.flow.pipeline.shards.taken_in import absorb, close, missing, refusal
from cellwise.flow.pipeline.site_step import undone
from cellwise.flow.pipeline.state import State
from cellwise.flow.pipeline.table_step import is_current
from cellwise.flow.recipe.resolve import Step

# The status of a run whose next step is for shards.
SHARED = "shared"


class Course(Protocol):
    """What a call does with a run."""

    def take_in(self, state: State) -> list[dict[str, Any]]:
        """Merge what shards have on record and return what they say of themselves.

        Called before any work by who holds the run folder, while no shard is worked on.
        """

    def ends_before(self, step: Step, state: State) -> bool:
        """Whether the call ends here, before this step."""

    def ended(self, state: State) -> None:
        """The call came to its end and still holds the run folder."""


class Whole:
    """All steps of the recipe. What shards have done is taken in, and nobody waits for them."""

    def take_in(self, state: State) -> list[dict[str, Any]]:
        """Merge whatever there is."""
        said = absorb(state)
        _close(state, said)
        return said

    def ends_before(self, step: Step, state: State) -> bool:
        """Nowhere."""
        return False

    def ended(self, state: State) -> None:
        """Nothing is left to do."""


class Finish(Whole):
    """The merge of what shards have done, all of them, then all other steps."""

    def take_in(self, state: State) -> list[dict[str, Any]]:
        """Merge.

        Raises:
            PreflightError: No shard has begun; the call is of other settings, another version or
                other images than the shards; a shard has not done its part.
        """
        plan = read_plan(state.run)
        if plan is None:
            if not state.earlier:
                raise PreflightError(
                    f"{state.run.path} is no run yet: give its shards first, such as --shard 1/8."
                )
            return super().take_in(state)
        other = differences(plan.facts, facts_of(state.request, state.earlier))
        if plan.listing != state.listing:
            other.append("the image folder changed")
        if other:
            return self._take_in_other(state, other)
        said = absorb(state)
        left = missing(state, plan)
        if left:
            reason = refusal(state, left)
            self._leave(state, said)
            raise PreflightError(reason)
        _close(state, said)
        return said

    def _take_in_other(self, state: State, other: list[str]) -> list[dict[str, Any]]:
        raise PreflightError(
            f"The shards of {state.run.path} were begun otherwise ({'; '.join(other)}). Give the "
            "same settings. To go on with these, take in what was done with --merge, and give all "
            "shards again."
        )

    def _leave(self, state: State, said: list[dict[str, Any]]) -> None:
        """The plan stays in force: the shards that are left go on with it."""


class Merge(Finish):
    """The merge of what shards have done, then steps up to the next one that shards can do."""

    def ends_before(self, step: Step, state: State) -> bool:
        """Before a per-site step with sites to do."""
        return step.spec.grain == "site" and bool(undone(step, state=state))

    def _take_in_other(self, state: State, other: list[str]) -> list[dict[str, Any]]:
        state.listener.message(f"The shards were begun otherwise: {'; '.join(other)}.")
        return Whole.take_in(self, state)

    def _leave(self, state: State, said: list[dict[str, Any]]) -> None:
        """Shards of another number or of other settings may follow."""
        _close(state, said)


class Opening(Whole):
    """The reading of the folder for shards, and the plan that they keep to.

    Args:
        of: How many shards there will be.
    """

    def __init__(self, of: int) -> None:
        self._of = of
        self._first: Step | None = None

    def ends_before(self, step: Step, state: State) -> bool:
        """Before the first step with something to do that is not the reading itself."""
        if SITES in step.spec.writes:
            return False
        if step.spec.grain == "site":
            if undone(step, state=state):
                self._first = step
                return True
            return False
        return not is_current(step, state=state)

    def ended(self, state: State) -> None:
        """Write the plan, where there is something for shards."""
        if self._first is not None:
            there = {step.title for step in not_passed_over(state, quiet=True)}
            stretch = stretch_from(self._first, state.request.recipe.steps)
            titles = tuple(step.title for step in stretch if step.title in there)
            write_plan(state.run, plan_of(state, titles, self._of))


def _close(state: State, said: list[dict[str, Any]]) -> None:
    """Note what shards said of themselves, and forget their folders."""
    log = EventLog(state.run.path / LOG)
    for record in said:
        log.write(event="shard", **record)
    close(state.run)
