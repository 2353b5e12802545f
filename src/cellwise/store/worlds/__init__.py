"""Folders of the challenges and of known truth."""
