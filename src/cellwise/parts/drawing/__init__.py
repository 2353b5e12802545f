"""How cells and images are drawn: colours, contrast, composites."""
