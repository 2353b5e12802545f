"""Export: a run becomes files that other programs read."""

from cellwise.registry import Registry

exporters = Registry("export", __name__)
