"""Figures of the report: how curves, matrices and panels are drawn, and which ones there are."""
