"""Losses: logits and targets in, one number per label out."""

from cellwise.registry import Registry

losses = Registry("loss", __name__)
