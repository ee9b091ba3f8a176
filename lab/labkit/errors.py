"""The one error the lab raises: something is wrong, said in a sentence."""


class LabError(Exception):
    """The message is for the person at the terminal; the lab exits 1 with it."""
