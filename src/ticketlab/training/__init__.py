"""One training: its engines, its loop, and what a process needs for it."""
