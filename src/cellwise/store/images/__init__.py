"""Images of all formats: headers, structure, scale and decoded fields."""
