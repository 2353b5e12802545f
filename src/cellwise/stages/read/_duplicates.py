"""Fields that share a picture, found by the hashes of their decoded pixels.

Copies under two names must not fall on both sides of a split. Two fields belong to one group when
any of their channels has the same pixels, directly or through others (connected components).
"""

from collections.abc import Iterable, Mapping

import polars as pl


def duplicate_groups(hashes: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The group of each site: the smallest id in it; alone, a site is its own group.

    Args:
        hashes: (site id, sha256 of one channel's pixels), one pair per site and channel.
    """
    parent: dict[str, str] = {}
    owner: dict[str, str] = {}
    for site, digest in hashes:
        parent.setdefault(site, site)
        first = owner.setdefault(digest, site)
        a, b = _root(parent, first), _root(parent, site)
        # The smaller id becomes the root, so that the name of a group does not hang on the order.
        parent[max(a, b)] = min(a, b)
    return {site: _root(parent, site) for site in sorted(parent)}


def groups_of_pixels(pixels: pl.DataFrame) -> dict[str, str]:
    """The groups from table `pixels`; constant pictures do not count: all black ones are equal."""
    told = pixels.filter(pl.col("maximum") > pl.col("minimum"))
    groups = duplicate_groups(told.select("site_id", "sha256").iter_rows())
    return {site: groups.get(site, site) for site in sorted(set(pixels["site_id"]))}


def members(groups: Mapping[str, str]) -> dict[str, list[str]]:
    """Sites by group, only groups of two or more."""
    found: dict[str, list[str]] = {}
    for site, group in groups.items():
        found.setdefault(group, []).append(site)
    return {group: sorted(sites) for group, sites in sorted(found.items()) if len(sites) > 1}


def _root(parent: dict[str, str], site: str) -> str:
    while parent[site] != site:
        parent[site] = parent[parent[site]]
        site = parent[site]
    return site
