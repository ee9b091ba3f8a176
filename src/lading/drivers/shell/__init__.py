"""EVERY LINE SENT TO A HOST: scripts, and what hosts answer to them; the files an auditor reads."""
