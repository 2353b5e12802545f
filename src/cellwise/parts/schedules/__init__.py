"""Schedules: how the learning rate changes over a training."""

from cellwise.registry import Registry

schedules = Registry("schedule", __name__)
