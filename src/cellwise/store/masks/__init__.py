"""Masks that a user brings: label images, arrays, outlines, and whose they are."""
