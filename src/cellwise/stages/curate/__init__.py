"""Curate: which fields teach, and which do not and why."""
