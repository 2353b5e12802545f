"""Adapt: trained networks take the statistics of the plates or experiments they will judge."""
