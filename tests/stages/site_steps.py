"""Per-site steps as the pipeline calls them, for tests that call a step alone."""

from dataclasses import replace

from cellwise.domain.steps import Finished
from cellwise.store.run.folder import RunFolder
from cellwise.store.run.sites import read_sites


def do(step, job, site_ids=None):
    """The records of these sites, all where none are named."""
    sites = {site.id: site for site in read_sites(RunFolder(job.run).sites)}
    return step.work([sites[name] for name in (sites if site_ids is None else site_ids)], job)


def finished(records, key="k"):
    """What the pipeline has on record of sites that went well."""
    return {r.site_id: Finished(key, r.counts) for r in records if r.error is None}


def merged(found):
    """The same records once a table was written."""
    return {site: replace(record, merged=True) for site, record in found.items()}


def all_of(step, job, site_ids=None):
    """Work and merge; returns the counts."""
    found = finished(do(step, job, site_ids), job.key)
    counts = step.finish(job, found)
    step.settle(job, {job.key})
    return counts
