"""Statistics: how bright each site is in each channel, once for all that normalises by it."""
