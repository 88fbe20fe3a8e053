"""What rows say: intervals, noise, limits, two runs compared, time against size. Pure functions."""
