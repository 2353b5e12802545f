"""A field that is read twice is decoded once, and nobody sees what another did to its pixels."""

import numpy as np

from cellwise.domain.channels import Channel
from cellwise.domain.records import ChannelFile, Field, Site
from cellwise.store.images.kept import decoded_once, kept_or

SITES = [Site(n, n, (ChannelFile(Channel("dna", "nucleus"), (f"{n}.png",)),)) for n in "abc"]


def reader(folder):
    calls = []

    def decode(site, root):
        calls.append(site.id)
        return Field(site.id, np.full((1, 4, 4), 0.5, np.float32), site.channels), {"dna": ["nan"]}

    return calls, lambda site: kept_or(decode, site, folder)


def test_within_each_is_decoded_once(tmp_path):
    calls, read = reader(tmp_path)
    with decoded_once():
        first, flags = read(SITES[0])
        first.pixels[:] = 9
        flags["dna"].append("odd")
        again, marks = read(SITES[0])
    assert calls == ["a"]
    assert again.pixels.max() == 0.5
    assert marks == {"dna": ["nan"]}
    read(SITES[0])
    assert calls == ["a", "a"]


def test_only_what_fits_is_kept(tmp_path):
    calls, read = reader(tmp_path)
    with decoded_once(most_bytes=2 * 4 * 4 * 4):
        for site in (*SITES, *SITES):
            read(site)
    assert calls == ["a", "b", "c", "c"]
