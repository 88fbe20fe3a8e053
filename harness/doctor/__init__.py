"""What `samestep doctor` knows: the facts, how they are measured, and which are problems."""
