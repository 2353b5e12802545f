"""A randomised family of worlds: labels, states, images and cameras drawn from frozen ranges."""
