"""Heads: what a backbone saw, `[item, feature, y, x]`, becomes logits and a class map."""

from cellwise.registry import Registry

heads = Registry("head", __name__)
