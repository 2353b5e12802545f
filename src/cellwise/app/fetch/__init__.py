"""Fetching public images: what a list asks for, how a server is asked, what counts as had."""
