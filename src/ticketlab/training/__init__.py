"""One training: its engines, its loop, its optimizers, and its data and network."""
