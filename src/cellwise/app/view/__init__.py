"""View: the report and a gallery of cells in a browser; see `server`."""
