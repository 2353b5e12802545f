from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Site
from cellwise.domain.tables import SITES
from cellwise.store.run.sites import read_sites, sites_to_frame
from cellwise.store.run.tables import write_table

DNA = ChannelFile(Channel("dna", "nucleus"), ("a_dna.png",))
GFP = ChannelFile(Channel("gfp", "protein"), ("z1.tif", "z2.tif"), plane=3, colour=True)
SITES_IN = [
    Site("a", "A", (DNA, GFP), "train", ("x", "y"), {"Well": "A01"}, 0.3),
    Site("b", "B", (DNA, GFP), metadata={"Plate": "1"}),
]


def test_sites_come_back_as_they_went(tmp_path):
    write_table(tmp_path / "s.parquet", SITES, sites_to_frame(SITES_IN, {}))
    assert read_sites(tmp_path / "s.parquet") == SITES_IN
    assert read_sites(tmp_path / "s.parquet", only=["b"]) == SITES_IN[1:]


def test_no_sites_are_an_ordinary_case(tmp_path):
    write_table(tmp_path / "s.parquet", SITES, sites_to_frame([], {}))
    assert read_sites(tmp_path / "s.parquet") == []
