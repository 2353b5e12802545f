"""Simulated cells, stains and fields with known truth: no disk, no torch."""
