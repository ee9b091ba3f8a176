"""Run lading as `python -m lading`."""

from lading.cli import entry

if __name__ == "__main__":
    entry.main()
