"""Learning from a finished run's own good stack, and using what was learnt on the next data."""
