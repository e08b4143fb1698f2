"""Data sets: what arrays must be, how they are split and ordered, and where they come from."""
