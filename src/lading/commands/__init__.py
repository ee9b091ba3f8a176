"""EVERY LINE SENT TO A HOST: pure builders and parsers, the files an auditor reads."""
