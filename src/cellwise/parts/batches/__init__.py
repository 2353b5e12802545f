"""Batches: which items meet in one step of training."""

from cellwise.registry import Registry

batches = Registry("batch", __name__)
