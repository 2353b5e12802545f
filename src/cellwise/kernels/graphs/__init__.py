"""Graphs of points that lie near each other: neighbours, smooth functions, diffusion."""
