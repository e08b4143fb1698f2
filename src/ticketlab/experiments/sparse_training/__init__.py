"""Sparse training: one training whose masks change, by SET, RigL and their family."""
