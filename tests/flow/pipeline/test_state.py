import pytest

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import SITES
from cellwise.flow.pipeline.events import Silent
from cellwise.flow.pipeline.state import Request, State
from cellwise.flow.recipe.resolve import Recipe
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import sites_to_frame
from cellwise.store.run.tables import write_table


@pytest.fixture
def sites(tmp_path):
    """Six sites of one to three channels; the second cannot be used."""
    names = ("dna", "er", "gfp")
    made = [
        Site(
            f"s{number}",
            f"S {number}",
            tuple(ChannelFile(Channel(n, None), (f"{number}_{n}.tif",)) for n in names[: 1 + k]),
            "train",
            ("x",) * k,
            {"Well": f"A0{number}"},
        )
        for number, k in enumerate((0, 1, 2, 0, 1, 2))
    ]
    heads = {("s1", channel.name): {"status": "truncated"} for channel in made[1].channels}
    write_table(tmp_path / "sites.parquet", SITES, sites_to_frame(made, heads))
    return {site.id: site for site in made}


@pytest.mark.parametrize("size", [1, 2, 5])
def test_batches_carry_the_sites_that_are_asked_for_in_that_order(sites, tmp_path, size):
    request = Request(tmp_path, tmp_path, Recipe("r", "", ()))
    state = State(request, Silent(), RunFolder(tmp_path), engine=None)
    wanted = ["s0", "s2", "s3", "s5", "s4"]
    batches = list(state.batches(wanted, size))
    assert [len(batch) for batch in batches][:-1] == [size] * (len(batches) - 1)
    assert [site for batch in batches for site in batch] == [sites[name] for name in wanted]
    with pytest.raises(KeyError):
        list(state.batches(["s1"], size))
