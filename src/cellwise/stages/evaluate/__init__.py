"""Evaluate: predictions and truth become figures with intervals."""

from cellwise.registry import Registry

evaluators = Registry("evaluator", __name__)
