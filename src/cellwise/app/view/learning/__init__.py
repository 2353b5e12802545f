"""Learning again from what people said: the run's own recipe, as a process of its own."""
