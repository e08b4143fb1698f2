"""Offline analysis of finished runs, without TensorFlow: tables of rounds, measures, figures and a report."""

from ticketlab.analysis import confidence, measures, tables

__all__ = ["confidence", "measures", "tables"]
