"""Train: sites or cells with labels become models."""

from cellwise.registry import Registry

trainers = Registry("trainer", __name__)
