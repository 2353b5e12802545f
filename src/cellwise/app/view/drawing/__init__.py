"""What the page draws: sheets of cells, tiles of fields, outlines, class maps."""
