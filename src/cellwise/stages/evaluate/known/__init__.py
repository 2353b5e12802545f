"""Cells and wells whose classes are known: what a run or a submission says of them."""
