"""Score: a model and a site become one score per cell and class."""

from cellwise.registry import Registry

scorers = Registry("scorer", __name__)
