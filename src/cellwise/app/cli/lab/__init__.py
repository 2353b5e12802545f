"""Verbs of the benchmark and its simulated worlds."""
