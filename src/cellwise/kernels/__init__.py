"""Fast array loops in numpy and numba: no torch, no disk."""
