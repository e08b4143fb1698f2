"""The sparse engine: multilayer perceptrons trained by their kept weights alone, compiled by numba."""
