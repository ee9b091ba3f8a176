"""HOW a command reaches a host."""
