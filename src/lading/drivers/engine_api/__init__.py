"""A HOST'S ENGINE ASKED ITSELF: Docker's API, through the connection that is already there."""
