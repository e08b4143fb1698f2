"""Pruning at initialisation: masks from scores of untrained weights."""
