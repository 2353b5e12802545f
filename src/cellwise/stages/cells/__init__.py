"""Cells: masks become a table and crops."""

from cellwise.registry import Registry

cell_parts = Registry("cell part", __name__)
