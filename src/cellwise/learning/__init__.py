"""One trainer for all that learns: crops, fields, tiles, vectors and pieces of annotated images."""
