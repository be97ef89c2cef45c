"""Which class averages are good: judging them, writing the selection, learning from simulation."""
