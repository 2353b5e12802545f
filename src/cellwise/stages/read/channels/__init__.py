"""Which word of a name tells the channels apart, and which roles they have."""
