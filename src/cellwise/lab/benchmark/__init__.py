"""The ladder: recipes and single changes of a recipe, compared on worlds whose truth is known."""
