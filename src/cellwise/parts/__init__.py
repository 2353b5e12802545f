"""Folders of components that stages choose from; torch is allowed, disk is not."""
