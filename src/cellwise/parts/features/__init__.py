"""Measured features of cells: where a stain lies, its texture at several scales, and cell shape.

One file for each group of features; each has `names`, what its numbers are called, and `measure`,
the numbers of one cell. `panel` says which groups are measured of which channel, `measure` puts
them together. Names follow CellProfiler: object, category, feature, scale, channel. Lengths and
scales are in pixels. NaN means "not measured of this cell".

Source: the groups of CellProfiler (Stirling et al., BMC Bioinformatics 22, 433, 2021) and of the
subcellular location features of Boland and Murphy, Bioinformatics 17, 1213 (2001).
"""

# Raised when numbers change, so that runs measure again.
REVISION = 1
