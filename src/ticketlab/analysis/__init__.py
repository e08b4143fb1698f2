"""A laboratory for lottery tickets and sparse training of neural networks."""
