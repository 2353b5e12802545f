"""Label: scores and field labels become labels of cells."""

from cellwise.registry import Registry

labellers = Registry("labeller", __name__)
