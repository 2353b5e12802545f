"""Embeddings that a user brings: files of other programs, and the cells of a run that they name."""
