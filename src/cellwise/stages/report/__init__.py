"""Report: a run becomes one page."""

from cellwise.registry import Registry

report_parts = Registry("report part", __name__)
