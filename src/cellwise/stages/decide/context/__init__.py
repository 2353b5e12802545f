"""The label sets of fields, and what judging cells by them is worth."""
