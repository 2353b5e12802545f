"""Published network weights brought into our own format, and what weights are at hand."""
