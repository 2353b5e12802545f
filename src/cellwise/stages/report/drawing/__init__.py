"""Lines and dots as SVG, and fields and cells as images."""
