"""Inputs as a person names them: a folder, a zip file or an address become a folder to read."""
