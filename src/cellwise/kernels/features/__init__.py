"""Loops over the pixels of one cell that measured features are made of."""
