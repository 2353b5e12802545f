"""Assign: the logits of sites become one treatment for each well."""
