"""WHAT CAN BE DONE ON ONE HOST, and by which means."""
