"""Probabilities fitted to cells that chance drew and people judged, in place of field labels."""
