"""Trying settings of a 2D classification on a few particles before the full run."""
