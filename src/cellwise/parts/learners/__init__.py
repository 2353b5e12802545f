"""Learners: vectors of cells with soft labels in, probabilities of classes out; no network."""

from cellwise.registry import Registry

learners = Registry("learner", __name__)
