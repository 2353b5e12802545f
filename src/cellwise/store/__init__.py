"""The only floor that knows files: tables, masks, images, models, run folders."""
