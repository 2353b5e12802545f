"""Exports that a visitor asks for: made in a process of their own, kept in `RUN/exports`."""
