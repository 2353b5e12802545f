"""The probability of cells that show none of the other classes."""
