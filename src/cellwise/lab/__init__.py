"""What judges the product and is no part of a run: simulated worlds, the benchmark of recipes."""
