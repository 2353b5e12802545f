"""Fields like those of the HPA challenge: cell lines, label sets, an annotator, proteins."""
