"""Tasks: what one training step does with a batch."""

from cellwise.registry import Registry

tasks = Registry("task", __name__)
