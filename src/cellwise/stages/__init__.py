"""One folder per link of the chain; the list of folders is the flow of data."""
