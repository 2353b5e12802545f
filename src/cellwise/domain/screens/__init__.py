"""Screens: wells on plates, and what their design tells of treatments."""
