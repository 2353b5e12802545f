"""Adjusters: what is done to the scores of cells before they are calibrated."""

from cellwise.registry import Registry

adjusters = Registry("adjuster", __name__)
