"""Probabilities fitted to cells drawn at random and judged by people, in place of field labels."""
