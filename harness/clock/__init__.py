"""What makes times comparable: the environment, threads and affinity of a measuring process."""
