"""A randomised family of worlds: labels, states, pictures and cameras drawn from frozen ranges."""
