"""WHERE: which services run on which host, how many containers of each, and why."""
