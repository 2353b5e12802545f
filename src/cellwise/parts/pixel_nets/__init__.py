"""Networks that give one value per pixel and map, for the segmenters."""

from cellwise.registry import Registry

pixel_nets = Registry("pixel net", __name__)
