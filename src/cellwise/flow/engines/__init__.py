"""Engines: where the batches of per-site steps are worked on."""
