"""What a component of each kind is given and what it gives back: the public protocols."""
