"""What the page is asked about: cells and fields of one run as arrays, read once."""
