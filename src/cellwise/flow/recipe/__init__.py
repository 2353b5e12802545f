"""Recipes: what a run does, checked against the parts before any work."""
