"""Decide: scores become probabilities."""

from cellwise.registry import Registry

deciders = Registry("decider", __name__)
