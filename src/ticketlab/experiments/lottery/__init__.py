"""Iterative magnitude pruning with rewinding, and its controls."""
