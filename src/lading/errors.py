"""Every error lading raises, as one drawn tree.

Each carries a message (what), where it is (file and line, host, step) and a hint (what to type next)::

    LadingError
    ├── InputError [2]         a file, an option or a version is wrong; no host was touched
    │   ├── ComposeError           the Compose file or what it refers to
    │   ├── RegistryError          the image or its registry
    │   │   └── RegistryDeniedError    the registry does not let us look
    │   ├── BuildError             an image cannot be built or pushed
    │   ├── SettingsError          lading.yaml
    │   └── UnknownReleaseError    no such release, deployment or app
    ├── PlacementError [3]     no host satisfies the request
    ├── RefusedError [4]       lading will not do it
    │   ├── LeaseHeldError         somebody else deploys this app
    │   ├── ForeignError           the host's project or state is not this app's
    │   ├── ExcludedError          a host that somebody has excluded
    │   ├── PreflightError         a host does not fulfil what the release needs
    │   ├── RightsError            the project asks for rights that its destination does not allow
    │   ├── NotAllowedError        a fleet file that was found would run programs or read the environment
    │   └── NotConfirmedError      nobody said yes
    ├── DeployFailedError [5]  the deployment ended otherwise than asked
    ├── TransportError [6]     a host could not be reached or did not answer as agreed
    │   ├── UnreachableError       no connection, or it was lost
    │   ├── AuthenticationError    the host did not accept the key
    │   ├── HostKeyError           the host's key is unknown, changed or revoked
    │   ├── ShellError             the login shell on the host does not run what it is sent
    │   ├── UnansweredError        not every host that was asked has answered
    │   └── CommandError           a command on the host failed in a way nobody planned for
    ├── LedgerError [7]        the ledger cannot be read, written or trusted
    └── LeftError [130]        the user left in the middle
"""

from collections.abc import Mapping

LIMIT = 2000  # characters of what others say that a message repeats


def short(text: str) -> str:
    """A text as part of a message, however much of it a program, a host or a registry has said."""
    return text if len(text) <= LIMIT else text[:LIMIT] + "…"


class LadingError(Exception):
    """Base of all errors that lading raises on purpose; anything else is a bug."""

    exit_code = 1
    kind = "error"

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        file: str = "",
        line: int = 0,
        host: str = "",
        step: str = "",
    ) -> None:
        super().__init__(short(message))
        self.message = short(message)
        self.hint = hint
        self.file = file
        self.line = line
        self.host = host
        self.step = step

    def as_json(self) -> Mapping[str, object]:
        """The object that `--json` prints under "error"; empty places are null."""
        return {
            "kind": self.kind,
            "message": self.message,
            "hint": self.hint or None,
            "file": self.file or None,
            "line": self.line or None,
            "host": self.host or None,
            "step": self.step or None,
        }


class InputError(LadingError):
    """A file, an option or a version is wrong; no host was touched."""

    exit_code = 2
    kind = "input"


class ComposeError(InputError):
    """The Compose file, or something it refers to, cannot be shipped."""

    kind = "compose"


class RegistryError(InputError):
    """The image is not in its registry, or the registry does not answer."""

    kind = "registry"


class RegistryDeniedError(RegistryError):
    """The registry answers, and does not let us look."""


class BuildError(InputError):
    """An image cannot be built or pushed; nothing was deployed."""

    kind = "build"


class SettingsError(InputError):
    """lading.yaml, the environment or an option is wrong."""

    kind = "settings"


class UnknownReleaseError(InputError):
    """There is no such app, release or deployment."""

    kind = "unknown_release"


class PlacementError(LadingError):
    """No host satisfies what was asked."""

    exit_code = 3
    kind = "placement"


class RefusedError(LadingError):
    """lading will not do it."""

    exit_code = 4
    kind = "refused"


class LeaseHeldError(RefusedError):
    """Another deployment holds the app on a host."""

    kind = "lease_held"


class ForeignError(RefusedError):
    """The project, its state or its containers on a host belong to somebody else."""

    kind = "foreign"


class PreflightError(RefusedError):
    """A host does not fulfil what the release needs; nothing was changed."""

    kind = "preflight"


class ExcludedError(RefusedError):
    """Somebody has excluded the host, or all hosts that were meant; none was contacted."""

    kind = "excluded"


class RightsError(RefusedError):
    """The project asks for rights over its hosts that the destination's `allow:` does not give."""

    kind = "rights"


class NotAllowedError(RefusedError):
    """A fleet file that was found, not named, runs programs or reads the environment, and its user has not allowed it."""

    kind = "not_allowed"


class ContradictionError(RefusedError):
    """A host lacks the last commit that this ledger saw there, or has it otherwise; nothing was changed."""

    kind = "contradiction"


class NotConfirmedError(RefusedError):
    """A changing command was not confirmed."""

    kind = "not_confirmed"


class PlanChangedError(RefusedError):
    """The plan is not the one that was approved by its hash, or a host of it was excluded or included since; nothing was changed."""

    kind = "plan_changed"


class DeployFailedError(LadingError):
    """The deployment ended otherwise than asked; the message says what is there now."""

    exit_code = 5
    kind = "deploy_failed"


class TransportError(LadingError):
    """A host could not be reached, or did not answer as agreed."""

    exit_code = 6
    kind = "transport"


class UnreachableError(TransportError):
    """No connection, or it was lost: what happens on the host is unknown."""

    kind = "unreachable"


class AuthenticationError(TransportError):
    """The host did not accept any of the keys."""

    kind = "authentication"


class HostKeyError(TransportError):
    """The host's key is unknown, has changed or was revoked."""

    kind = "host_key"


def of_another_key(then: str) -> str:
    """What to do about a host that shows another key than the one that is known; *then*: what to type if it is the host's."""
    return f"either the server was set up anew, or somebody sits in between: ask its operator for the fingerprint; if it was set up anew: {then}"


class ShellError(TransportError):
    """The login shell on the host does not run what it is sent; nothing was run there."""

    kind = "shell"


class UnansweredError(TransportError):
    """Not every host that was asked has answered, so that nobody can say "nothing"."""

    kind = "unanswered"


class CommandError(TransportError):
    """A command on the host failed in a way that nobody planned for."""

    kind = "command"


class LedgerError(LadingError):
    """The ledger cannot be read, written or trusted."""

    exit_code = 7
    kind = "ledger"


class LeftError(LadingError):
    """The user left in the middle (second Ctrl-C)."""

    exit_code = 130
    kind = "interrupted"
