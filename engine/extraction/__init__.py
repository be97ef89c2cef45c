"""Particle images cut from micrographs, as RELION cuts them, with an account of every pick."""
