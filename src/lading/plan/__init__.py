"""IN WHICH ORDER: steps as data, batches, the one diff."""
