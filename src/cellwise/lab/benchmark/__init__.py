"""The benchmark: recipes and single changes of a recipe, on worlds whose truth is known."""
