"""REMEMBER: an append-only, chained history of deployments."""
