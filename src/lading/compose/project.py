"""Compose project as frozen types: what lading reads of the specification, incl. deploy: (pure)."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from lading.compose import images
from lading.compose.rights import Right
from lading.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Port:
    """A published port; *published* is empty where the engine chooses, *host_ip* empty for all addresses."""

    target: int
    published: str = ""
    protocol: str = "tcp"
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount of a service. *kind*: bind, volume, tmpfs…; *source* as in the file (relative paths stay relative);
    *options*: those of `bind:`, all of them, unless they are what Compose takes without any.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileRef:
    """A service's use of a top-level config or secret, by its name there."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Health:
    """A health check's times, in seconds; a service without one has None instead."""

    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0


@dataclass(frozen=True, slots=True)
class Rollout:
    """`deploy.update_config` or `rollback_config`: hosts at a time (0 = all), seconds to watch and to pause between."""

    parallelism: int = 0
    monitor: float = 5.0
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Service:
    """One service. *definition* is Compose's own normal form with secret values masked, keys in Compose's words.

    *asked*: a profile of it was asked for; *seccomp*: the files with its profiles; *file_labels*: what its label files give, None if it has none.
    """

    name: str
    image: str
    definition: Mapping[str, Any]
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    networks: tuple[str, ...] = ()
    configs: tuple[FileRef, ...] = ()
    secrets: tuple[FileRef, ...] = ()
    env_files: tuple[Mapping[str, Any], ...] = ()
    depends_on: Mapping[str, str] = field(default_factory=dict)
    tied_to: tuple[str, ...] = ()
    restart: str = ""
    restart_written: bool = False
    health: Health | None = None
    stop_grace: float = 10.0
    replicas: int = 1
    rollout: Rollout | None = None
    way_back: Rollout | None = None
    profiles: tuple[str, ...] = ()
    platform: str = ""
    has_build: bool = False
    variables: tuple[str, ...] = ()
    restarts_with: tuple[str, ...] = ()
    asked: bool = False
    file_labels: Mapping[str, str] | None = None
    elsewhere: images.Elsewhere = field(default_factory=images.Elsewhere)
    seccomp: tuple[str, ...] = ()

    @property
    def listed(self) -> tuple[Mount, ...]:
        """What it mounts by `volumes:`; its `tmpfs:` stands behind."""
        return self.mounts[: len(self.mounts) - len(self.definition.get("tmpfs") or ())]

    @property
    def all_images(self) -> tuple[str, ...]:
        """All its images, its own first."""
        others = (image for _, image in (*self.elsewhere.mounts, *self.elsewhere.before) if image)
        return tuple(dict.fromkeys((self.image, *others)))

    @property
    def is_local(self) -> bool:
        """Whether its image is what lies on a host under its name: nobody pulls it, and no digest says which one it is."""
        return self.definition.get("pull_policy") == "never" and "@" not in self.image

    @property
    def enabled(self) -> bool:
        """Whether a deployment starts it: services of a profile wait until somebody has asked for one of theirs."""
        return self.asked or not self.profiles

    @property
    def starts(self) -> bool:
        """Whether a deployment leaves a container of it."""
        return self.enabled and self.replicas > 0


@dataclass(frozen=True, slots=True)
class Resource:
    """A top-level network, volume, config or secret: its key, its real name on the engine, its masked definition."""

    key: str
    name: str
    definition: Mapping[str, Any]
    external: bool = False
    file: str = ""
    environment: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """A whole Compose project as Compose itself resolved it; *extension* is the top-level `x-lading`."""

    name: str
    services: Mapping[str, Service]
    networks: Mapping[str, Resource] = field(default_factory=dict)
    volumes: Mapping[str, Resource] = field(default_factory=dict)
    configs: Mapping[str, Resource] = field(default_factory=dict)
    secrets: Mapping[str, Resource] = field(default_factory=dict)
    extension: Mapping[str, Any] = field(default_factory=dict)

    @property
    def local_images(self) -> frozenset[str]:
        """The images that no service has pulled."""
        local = {service.image for service in self.services.values() if service.is_local}
        pulled = {image for service in self.services.values()
                  for image in service.all_images if not (service.is_local and image == service.image)}
        return frozenset(local - pulled)


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """A file that travels: POSIX path below the bundle's root, content, and whether it is executable."""

    path: str
    content: bytes = field(repr=False)
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that was read on the controller for one version of an app; nothing else goes into a release.

    *directory*: the project folder below the bundle's root ("." = the root itself); *compose_files*: in the order of
    `-f`, relative to *directory*; *files*: what Compose reads and must find at its place (Compose files, include,
    extends, label_file); *binds*: relative bind source or config file → its files, path "" for a single file, those
    that Git tracks; *host_data*: relative bind sources that stay on the host; *plain*: variables that may be shown;
    *secrets*: name → content, names are "var.NAME", "env.PATH" (env_file) and "file.PATH" (secrets file);
    *uses*: service → names of the secrets it uses; *source*: whose the app is (compose/owner.py); *commit*: Git's, or "";
    *warnings*: for the plan; *rights*: what the project may do with its hosts, see compose/rights.py;
    *path*: the project folder here; *named*: the user or the file names the app;
    *profiles*: those that were asked for; *by_includes*: service → the variables to which only env files of `include:`
    give values, with these (names in place of secrets).
    """

    project: Project
    version: str
    directory: str
    compose_files: tuple[str, ...]
    files: tuple[ShippedFile, ...]
    binds: Mapping[str, tuple[ShippedFile, ...]]
    host_data: tuple[str, ...]
    plain: Mapping[str, str]
    secrets: Mapping[str, bytes] = field(repr=False)
    uses: Mapping[str, tuple[str, ...]]
    source: str
    commit: str
    warnings: tuple[str, ...] = ()
    rights: tuple[Right, ...] = ()
    path: str = ""
    named: bool = True
    profiles: tuple[str, ...] = ()
    by_includes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
