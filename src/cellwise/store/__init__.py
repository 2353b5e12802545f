"""The only layer that knows files: tables, masks, images, models, run folders."""
