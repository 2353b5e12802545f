"""Layouts: how folders name plates, wells, sites and channels."""

from cellwise.registry import Registry

layouts = Registry("layout", __name__)
