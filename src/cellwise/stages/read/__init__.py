"""Read: a folder becomes sites."""
