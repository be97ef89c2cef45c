"""Picks as files: lists in, coordinates out, and what other pickers wrote."""
