"""A run: recipes, the plan, the pipeline and the engines that do its work."""
