"""Settling the parameters of extraction and 2D classification."""
