"""Kinds of experiment, a folder each, and what they share: replicates, checkpoints, presets, the registry."""
