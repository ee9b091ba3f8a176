"""A step that failed on a host."""

from lading import errors


class Failure(Exception):
    """One host's step failed: host ("" = none in particular), step, why, last log lines; *kind*: how a host refused."""

    def __init__(self, host: str, step: str, why: str, log: tuple[str, ...] = (), kind: str = "") -> None:
        super().__init__(errors.short(why))
        self.host, self.step, self.why, self.kind = host, step, errors.short(why), kind
        self.log = tuple(map(errors.short, log))
