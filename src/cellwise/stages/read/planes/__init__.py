"""Planes: what is told apart before they become sites, and what colours among them mean."""
