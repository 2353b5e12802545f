"""Whole sites: their brightness, as models want it."""
