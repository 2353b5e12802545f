"""Preparing: a challenge's own form of images, made from finished runs."""
