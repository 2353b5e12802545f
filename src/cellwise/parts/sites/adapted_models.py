"""Networks that normalise by the statistics of the plate or experiment that a site lies in."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

import polars as pl

from cellwise.domain.records import Site
from cellwise.domain.units import places
from cellwise.parts.adapted_norm import set_statistics, statistics_of
from cellwise.parts.panel import Panel
from cellwise.store.run.adapted import Adapted
from cellwise.store.run.folder import RunFolder, model_place

# For a site, while it is judged: the networks of a panel by its group's statistics.
ForSite = Callable[[str, Panel], AbstractContextManager[None]]

_NAMED = ("Experiment", "Plate", "Well")


def adapted_models(run: RunFolder, name: str, sites: Sequence[Site]) -> ForSite:
    """What changes networks for each of these sites, and back; nothing where no step is named.

    Raises:
        FormatError: The statistics are missing or torn.
    """
    if not name:
        return lambda site_id, panel: nullcontext()
    kept = Adapted(run.adapted(name))
    table = pl.DataFrame(
        {
            "site_id": [site.id for site in sites],
            **{f"Metadata_{word}": [site.metadata.get(word) for site in sites] for word in _NAMED},
        },
        schema_overrides={f"Metadata_{word}": pl.String for word in _NAMED},
    )
    groups = dict(zip(table["site_id"], places(table)[kept.by], strict=True))

    @contextmanager
    def adapted(site_id: str, panel: Panel) -> Iterator[None]:
        before = []
        try:
            for model in panel.models:
                place = model_place(model.card.fold, model.card.part.get("value", ""))
                found = kept.read(groups[site_id], place)
                if found is not None:
                    before.append((model.network.net, statistics_of(model.network.net)))
                    set_statistics(model.network.net, found)
            yield
        finally:
            for net, statistics in before:
                set_statistics(net, statistics)

    return adapted
