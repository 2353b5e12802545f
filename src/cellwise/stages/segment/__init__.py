"""Segment: a field becomes cells and nuclei."""

from cellwise.registry import Registry

segmenters = Registry("segmenter", __name__)
