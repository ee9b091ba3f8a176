"""DO IT: carry out a plan on hosts, one event at a time."""
