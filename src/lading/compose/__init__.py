"""WHAT to run: a Compose project, its images in a registry, the immutable release."""
