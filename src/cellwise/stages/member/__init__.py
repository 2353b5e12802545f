"""Member: what another finished run says of the same cells."""
