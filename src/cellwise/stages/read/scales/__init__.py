"""One intensity scale for each channel of a folder."""
