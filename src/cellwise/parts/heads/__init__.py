"""Heads: what a backbone saw, `[item, feature, y, x]`, becomes what is asked: logits and more."""

from cellwise.registry import Registry

heads = Registry("head", __name__)
