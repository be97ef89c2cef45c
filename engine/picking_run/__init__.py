"""The picking step: decide how to pick, pick everything, and look at the yield."""
