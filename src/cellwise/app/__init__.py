"""What a person touches: recipes, the pipeline, the command, the page."""
