"""Augmentations: random changes that leave the label true."""

from cellwise.registry import Registry

augmentations = Registry("augmentation", __name__)
