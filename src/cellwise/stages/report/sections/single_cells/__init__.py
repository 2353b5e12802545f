"""What is known of single cells: their sets, how far probabilities hold, what units show."""
