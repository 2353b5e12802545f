"""The label desk: what people say of cells in the page, kept in the run by `store.annotations`."""
