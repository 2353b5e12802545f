"""Networks: any channel count in, logits and feature maps out."""

from cellwise.registry import Registry

nets = Registry("net", __name__)
