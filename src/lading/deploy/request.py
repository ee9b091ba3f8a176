"""What the user typed for a verb that reads a project: deploy, plan, adopt, build, bundle, …"""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """What the user typed.

    *source*: "image" or "worktree", whose files count where they differ.
    *digests*: image → the digest it must have.
    *named*: the app that the files must be of, "" = any.
    *allow_dirty*: a version that is a tag may be one that the files here differ from.
    *push_images*: those that only this machine's engine has are sent to the hosts.
    *accepted*: hosts that are put right though they contradict the ledger.
    """

    directory: Path
    to: tuple[str, ...]
    files: tuple[str, ...] = ()
    app: str = ""
    version: str = ""
    overrides: Mapping[str, str] = field(default_factory=dict, repr=False)
    reason: str = ""
    refresh: bool = False
    require_immutable: bool = False
    take_lease: bool = False
    take_over: bool = False
    source: str = "image"
    require_matching_source: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    accepted: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    named: str = ""
    allow_dirty: bool = False
    push_images: bool = False
