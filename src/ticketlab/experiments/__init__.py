"""Kinds of experiments, a folder each, and what they share: rounds, checkpoints, presets, the table of kinds."""
