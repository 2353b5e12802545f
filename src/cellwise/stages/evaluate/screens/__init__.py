"""Figures of screens: answers, profiles and hits, on wells that no model has learned from."""
