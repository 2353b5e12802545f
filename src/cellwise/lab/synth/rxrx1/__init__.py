"""Fields like those of RxRx1: design, effects, stains and batches."""
