"""Shelves of pure functions and modules that stages choose from; torch is allowed, disk is not."""
