"""Picking: how large the particles are, how sure a pick is, and where the particles lie."""
