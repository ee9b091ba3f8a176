"""Ship Docker Compose apps to your own servers over SSH, and know which version runs where."""
