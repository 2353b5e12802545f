"""Profile: one vector for each well, with the batch taken out of it."""
