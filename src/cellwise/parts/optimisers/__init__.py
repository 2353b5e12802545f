"""Optimisers: a network in, what moves its weights out."""

from cellwise.registry import Registry

optimisers = Registry("optimiser", __name__)
