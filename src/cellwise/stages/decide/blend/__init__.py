"""How much of a field's score is taken in for its cells."""
