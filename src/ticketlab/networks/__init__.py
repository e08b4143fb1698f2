"""Keras networks: by name or from a file, what they must be, and what their variables and operations are."""
