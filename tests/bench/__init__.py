"""Measurements: each figure against a reference in the same run, on loopback and real servers."""
