"""What things are, without torch and without disk."""
