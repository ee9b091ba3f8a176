"""WHERE it may run: hosts, labels, destinations."""
