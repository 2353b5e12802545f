"""The pipeline: decides by keys what has to run, runs it, records what is done."""
