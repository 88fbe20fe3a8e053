"""What the adapters of Keras share: all that Keras computes alike on each of its backends."""
