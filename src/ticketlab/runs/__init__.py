"""A run: the fields that determine its numbers, its key, and its folder on disk."""
