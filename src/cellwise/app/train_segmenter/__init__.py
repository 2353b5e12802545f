"""Training of the small segmenter on pictures with masks: `cellwise train-segmenter`."""
