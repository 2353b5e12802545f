"""Training of the small segmenter on images with masks: `cellwise train-segmenter`."""
