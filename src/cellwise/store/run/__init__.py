"""The run folder: its paths, tables, masks, crops, models and measurements."""
