"""Wells: what share of their cells shows each class, and their predictions."""
