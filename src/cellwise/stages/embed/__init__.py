"""Embed: every cell or site becomes a vector, labelled or not."""

from cellwise.registry import Registry

embedders = Registry("embedder", __name__)
