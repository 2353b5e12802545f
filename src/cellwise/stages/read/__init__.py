"""Read: a folder becomes sites."""

from cellwise.registry import Registry

layouts = Registry("layout", __name__)
