"""The immutable release: what was read plus digests, as canonical bytes; its id is their hash (pure)."""

import functools
import hashlib
import posixpath
from collections.abc import Container, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any
from urllib.parse import quote as percent

from lading import canonical
from lading.compose import ending, images, overlay, project, sent, services, unheeded

FORMAT = 1  # the newest "v" of a release that this lading reads
SINCE = "since"  # key of a field's metadata: the format that came with it
READ = "read"  # key of a field's metadata: what only whoever read the files knows; it is no part of the bytes
AND_RESTART = " and restart"
PROFILES = "profiles"  # among what `x-lading` says, where no file can write it: no field of its own, so that older ladings read it
JOB_WAIT = 900.0  # seconds that a service which is meant to end may take
MINIMUM_WAIT = 60.0
BAKE = 5.0  # seconds that a service without a health check must run
IGNORED_DEPLOY = ("placement", "update_config", "rollback_config", "replicas")
NOT_HASHED = ("build", "depends_on", "profiles", "pull_policy", "scale", "deploy")


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """What a release says of one service: enough to plan, to start, to judge and to undo it without its files.

    *content*: hash of all that makes its containers what they are, secrets left out; *secrets*: names of those it
    uses; *networks*: real names; *mounts*: targets; *ports*: fixed ones, "ip:published/protocol"; *depends_on*:
    service → condition, with AND_RESTART for `restart: true` (no field of its own, so that older ladings read it);
    *job*: it seemed meant to end to the lading that made the release; `Release.endings` says whether it is, and
    `Release.wait` and `Release.bake` (how long it must stay good) follow from that. *grace* in seconds.
    """

    name: str
    image: str
    content: str
    definition: Mapping[str, Any]
    secrets: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    depends_on: Mapping[str, str] = field(default_factory=dict)
    tied_to: tuple[str, ...] = ()
    job: bool = False
    health: bool = False
    replicas: int = 1
    wait: float = MINIMUM_WAIT
    bake: float = 5.0
    grace: float = 10.0
    active: bool = True

    @property
    def all_images(self) -> Mapping[str, str]:
        """All its images by digest, its own under its name, those that stand elsewhere under "NAME+1" and so on."""
        known = images.of({**self.definition, "image": self.image})
        return {self.name + (f"+{number}" if number else ""): image for number, image in enumerate(known)}

    @property
    def restarts_with(self) -> tuple[str, ...]:
        """The services whose new container restarts this one."""
        return tuple(name for name, condition in self.depends_on.items() if condition.endswith(AND_RESTART))


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast hosts follow each other: *parallelism* hosts at a time (0 = all), *delay* seconds between batches."""

    parallelism: int = 0
    delay: float = 0.0


@dataclass(frozen=True)
class Release:
    """One app in one version, immutable. *files*: path → SHA-256; *objects*: shipped binds by id → their source.

    *forth* is the pace of a deployment (`deploy.update_config`), *back* that of an undo or a rollback to this release.
    Its bytes and id are asked for many times for each host, so they are made once (a slotted class has no place for them).

    A field that is added later, here or in a part, has a default and `field(metadata={SINCE: FORMAT})`, the FORMAT that
    came with it. It is left out of the bytes while it has its default, so that releases which do not use it keep their id.

    *as_read*: its services with the values that the definitions hide, by name; a release that is read back has none.
    """

    app: str
    version: str
    directory: str
    compose_files: tuple[str, ...]
    files: Mapping[str, str]
    objects: Mapping[str, str]
    plain: Mapping[str, str]
    secrets: tuple[str, ...]
    services: Mapping[str, ServiceSpec]
    networks: Mapping[str, Mapping[str, Any]]
    volumes: Mapping[str, Mapping[str, Any]]
    overlay: str
    forth: Pace = field(default_factory=Pace)
    back: Pace = field(default_factory=Pace)
    absolute_binds: tuple[str, ...] = ()
    extension: Mapping[str, Any] = field(default_factory=dict)
    as_read: Mapping[str, project.Service] = field(default_factory=dict, repr=False, compare=False, metadata={READ: True})

    def canonical(self) -> bytes:
        """The bytes that are stored and hashed: JSON with sorted keys and no spaces, UTF-8."""
        return self._bytes

    @functools.cached_property
    def _bytes(self) -> bytes:
        return canonical.form({"v": _format(self), **_stored(self)})

    @functools.cached_property
    def id(self) -> str:
        """The SHA-256 of the canonical bytes, all 64 hex digits; `canonical.short` of it is for eyes."""
        return hashlib.sha256(self.canonical()).hexdigest()

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles that were asked for: Compose is given them wherever it is run for this release."""
        return tuple(self.extension.get(PROFILES, ()))

    @property
    def active(self) -> Mapping[str, ServiceSpec]:
        """The services that a deployment starts."""
        return {name: spec for name, spec in self.services.items() if spec.active}

    @functools.cached_property
    def all_images(self) -> Mapping[str, str]:
        """All images of all services by digest, under the names that their services give them."""
        return {key: image for spec in self.services.values() for key, image in spec.all_images.items()}

    @functools.cached_property
    def endings(self) -> Mapping[str, ending.Ending]:
        """Whether each service must end, may end, or never should."""
        return ending.of_all(self.services.values())

    def wait(self, name: str) -> float:
        """Seconds that a service has to become good."""
        spec = self.services[name]
        if not spec.job or self.endings[name] == "must":
            return spec.wait
        return _patience(services.health(spec.definition.get("healthcheck")))

    def bake(self, name: str) -> float:
        """Seconds that a service must stay good."""
        spec = self.services[name]
        if not spec.job or self.endings[name] == "must" or spec.health:
            return spec.bake
        return spec.bake or BAKE

    def one_shots(self, finished: Container[str] | None) -> frozenset[str]:
        """The services that run once: those that must end, and those that may and are among *finished*.

        *finished* is None where an older lading has not written down which had ended well.
        """
        found = set()
        for name, how in self.endings.items():
            ended = self.services[name].job if finished is None else name in finished
            if how == "must" or (how == "may" and ended):
                found.add(name)
        return frozenset(found)

    def left_on_the_way_back(self, finished: Container[str] | None) -> frozenset[str]:
        """The one-shots that an undo or a rollback to this release does not run again."""
        return frozenset() if self.extension.get("on_undo") == "run" else self.one_shots(finished)


def _left_out(one: Field[Any], value: Any) -> bool:
    if READ in one.metadata:
        return True
    if SINCE not in one.metadata:
        return False
    return bool(value == (one.default if one.default_factory is MISSING else one.default_factory()))


def _written(value: Any) -> list[tuple[Field[Any], Any]]:
    """The fields of a dataclass that its bytes hold: those of later formats only where they say something."""
    found = [(one, getattr(value, one.name)) for one in fields(value)]
    return [(one, each) for one, each in found if not _left_out(one, each)]


def _stored(value: Any) -> Any:
    """A value as JSON has it."""
    if is_dataclass(value):
        return {one.name: _stored(each) for one, each in _written(value)}
    if isinstance(value, Mapping):
        return {key: _stored(each) for key, each in value.items()}
    return value


def _format(value: Any) -> int:
    """The oldest format that knows all that a value says."""
    if isinstance(value, Mapping):
        return max(map(_format, value.values()), default=1)
    if not is_dataclass(value):
        return 1
    return max(max(int(one.metadata.get(SINCE, 1)), _format(each)) for one, each in _written(value))


@dataclass(frozen=True, slots=True)
class Bundle:
    """A release with the bytes that go with it: *files* by path, *objects* by id, *secrets* by name.

    *source*: whose the app is; *path*: the project folder that it was read from.
    """

    release: Release
    files: tuple[project.ShippedFile, ...]
    objects: Mapping[str, tuple[project.ShippedFile, ...]]
    secrets: Mapping[str, bytes] = field(repr=False)
    source: str = ""
    commit: str = ""
    warnings: tuple[str, ...] = ()
    path: str = ""


def object_id(files: tuple[project.ShippedFile, ...]) -> str:
    """The id of shipped content: hash over paths, modes and contents; the same on every machine."""
    return canonical.object_id([(f.path, f.executable, hashlib.sha256(f.content).hexdigest()) for f in files])


def build(reading: project.Reading, pins: Mapping[str, str]) -> Bundle:
    """The bundle of what was read; *pins*: image as in the file → the same text with its digest."""
    app = reading.project
    objects = {source: object_id(files) for source, files in reading.binds.items()}
    awaited = {name for one in app.services.values() for name, condition in one.depends_on.items()
               if condition == ending.COMPLETED}
    specs = {name: _service(reading, service, objects, pins, awaited) for name, service in sorted(app.services.items())}
    forth = _pace(s.rollout for s in app.services.values())
    back = _pace(s.way_back or s.rollout for s in app.services.values())
    release = Release(
        app=app.name,
        version=reading.version,
        directory=reading.directory,
        compose_files=reading.compose_files,
        files={f.path: hashlib.sha256(f.content).hexdigest() + ("x" if f.executable else "") for f in reading.files},
        objects={object_: source for source, object_ in objects.items()},
        plain=dict(reading.plain),
        secrets=tuple(sorted(reading.secrets)),
        services=specs,
        networks={key: _resource(r) for key, r in app.networks.items()},
        volumes={key: _resource(r) for key, r in app.volumes.items()},
        overlay=overlay.write(_overlay(reading, specs, objects, pins)),
        forth=forth,
        back=back,
        absolute_binds=tuple(sorted(_absolute_binds(app))),
        extension={**app.extension, **_asked(reading)},
        as_read=app.services,
    )
    return Bundle(
        release, reading.files, {objects[source]: files for source, files in reading.binds.items()},
        reading.secrets, reading.source, reading.commit, (*reading.warnings, *unheeded.warnings(app, [image for image, pin in pins.items() if sent.is_sent(pin)])), reading.path,
    )


def _asked(reading: project.Reading) -> dict[str, Any]:
    """The profiles that were asked for, if that says anything."""
    some = any(service.profiles for service in reading.project.services.values())
    return {PROFILES: sorted(reading.profiles)} if some and reading.profiles else {}


def _pace(words: Iterable[project.Rollout | None]) -> Pace:
    """The most careful of what the services ask for: one host carries them all."""
    found = [one for one in words if one is not None]
    return Pace(min((one.parallelism for one in found if one.parallelism > 0), default=0),
                max((one.delay for one in found), default=0.0))


def _resource(resource: project.Resource) -> dict[str, Any]:
    return {"name": resource.name, "external": resource.external, "definition": dict(resource.definition)}


def _absolute_binds(app: project.Project) -> set[str]:
    return {
        mount.source
        for service in app.services.values() if service.enabled
        for mount in service.mounts if mount.kind == "bind" and mount.source.startswith("/")
    }


def _is_job(service: project.Service, awaited: Container[str]) -> bool:
    if service.restart_written and service.restart.partition(":")[0] in ("no", "on-failure"):
        return True
    return service.name in awaited


def _wait(service: project.Service, job: bool) -> float:
    return JOB_WAIT if job else _patience(service.health)


def _patience(health: project.Health | None) -> float:
    if health is None:
        return MINIMUM_WAIT
    return max(MINIMUM_WAIT, health.start_period + (health.interval + health.timeout) * (health.retries + 1) + 30)


def _bake(service: project.Service, job: bool) -> float:
    """How long it must stay good: `monitor` where written, else 5 s without a health check and 0 with one."""
    if service.rollout is not None:
        return service.rollout.monitor
    return 0.0 if service.health or job else BAKE


def _hashed(service: project.Service, image: str, pins: Mapping[str, str]) -> dict[str, Any]:
    written = images.pinned(service.definition, pins)
    kept = {k: v for k, v in written.items() if k not in NOT_HASHED and not k.startswith("x-")}
    deploy = {k: v for k, v in service.definition.get("deploy", {}).items() if k not in IGNORED_DEPLOY}
    return {**kept, "image": image, **({"deploy": deploy} if deploy else {})}


def _service(
    reading: project.Reading, service: project.Service, objects: Mapping[str, str], pins: Mapping[str, str],
    awaited: Container[str],
) -> ServiceSpec:
    app = reading.project
    image = pins.get(service.image, service.image)
    shipped = {m.target: objects[key] for m in service.mounts if (key := shipped_key(m.source, objects)) in objects}
    files = {
        ref.target or ref.source: _config_content(app.configs[ref.source], objects)
        for ref in service.configs if ref.source in app.configs
    }
    shipped |= _profiles(reading, service) | _by_includes(reading, service)
    definition = _hashed(service, image, pins)
    job = _is_job(service, awaited)
    return ServiceSpec(
        name=service.name,
        image=image,
        content=canonical.digest({"definition": definition, "mounts": shipped, "configs": files})[:32],
        definition=definition,
        secrets=tuple(reading.uses.get(service.name, ())),
        networks=tuple(sorted(app.networks[key].name for key in service.networks if key in app.networks)),
        mounts=tuple(sorted(m.target for m in service.mounts if m.kind in ("bind", "volume"))),
        ports=tuple(sorted(f"{p.host_ip}:{p.published}/{p.protocol}" for p in service.ports if p.published)),
        depends_on={name: condition + (AND_RESTART if name in service.restarts_with else "")
                    for name, condition in service.depends_on.items()},
        tied_to=service.tied_to,
        job=job,
        health=service.health is not None,
        replicas=service.replicas,
        wait=_wait(service, job),
        bake=_bake(service, job),
        grace=service.stop_grace,
        active=service.enabled,
    )


def _profiles(reading: project.Reading, service: project.Service) -> dict[str, str]:
    """The content of a service's seccomp profiles: it is in no definition, and a changed one must recreate the container."""
    places = {posixpath.normpath(posixpath.join(reading.directory, path)): path for path in service.seccomp}
    return {f"seccomp {places[one.path]}": hashlib.sha256(one.content).hexdigest() for one in reading.files if one.path in places}


def _by_includes(reading: project.Reading, service: project.Service) -> dict[str, str]:
    """What env files of `include:` give a service: its definition has only the names of it (decision 0057)."""
    given = reading.by_includes.get(service.name, {})
    return {f"variable {name}": hashlib.sha256(value.encode()).hexdigest() for name, value in given.items()}


def _config_content(config: project.Resource, objects: Mapping[str, str]) -> Any:
    return objects.get(bind_key(config.file)) if config.file else dict(config.definition)


def bind_key(source: str) -> str:
    """A relative path in the one form in which `Reading.binds` and `host_data` name it; absolute ones unchanged."""
    parts = [part for part in source.split("/") if part not in ("", ".")]
    return source if source.startswith("/") or not parts else "/".join(parts)


def shipped_key(source: str, objects: Container[str]) -> str:
    """The same, for a path that goes up and down as one of *objects* is named, if it leads to one."""
    straight = posixpath.normpath(source)
    return straight if straight in objects else bind_key(source)


def secret_path(name: str) -> str:
    """The folder of a secret below `secrets/` on a host."""
    return percent(name, safe="")


def _overlay(
    reading: project.Reading, specs: Mapping[str, ServiceSpec], objects: Mapping[str, str], pins: Mapping[str, str],
) -> Mapping[str, Any]:
    numbers = {name: number for number, name in enumerate(sorted(reading.secrets))}
    app = reading.project

    def kept(name: str) -> str:
        return f"${{LADING_DIR}}/secrets/{secret_path(name)}/${{LADING_GEN_{numbers[name]}}}"

    services: dict[str, Any] = {}
    for index, (name, spec) in enumerate(sorted(specs.items())):
        services[name] = _service_overlay(app.services[name], spec, index, app.name, objects, pins)
        env = [e for e in app.services[name].env_files if f"env.{bind_key(str(e['path']))}" in numbers]
        if app.services[name].env_files:
            services[name]["env_file"] = overlay.Override(
                [{**e, "path": kept(f"env.{bind_key(str(e['path']))}")} for e in env]
            )
    configs = {
        key: {"file": f"${{LADING_DIR}}/objects/{objects[bind_key(c.file)]}"}
        for key, c in app.configs.items() if c.file and bind_key(c.file) in objects
    } | _of_the_host(reading, app.configs)
    secrets = {
        key: {"file": kept(f"file.{bind_key(s.file)}")}
        for key, s in app.secrets.items() if s.file and f"file.{bind_key(s.file)}" in numbers
    } | _of_the_host(reading, app.secrets)
    parts = {"services": services, "configs": configs, "secrets": secrets}
    return {key: value for key, value in parts.items() if value}


def _of_the_host(reading: project.Reading, resources: Mapping[str, project.Resource]) -> dict[str, Any]:
    """The configs or secrets whose files are host data."""
    return {key: {"file": overlay.DATA + overlay.literal(bind_key(one.file))}
            for key, one in resources.items() if one.file and bind_key(one.file) in reading.host_data}


def _service_overlay(
    service: project.Service, spec: ServiceSpec, index: int, app: str, objects: Mapping[str, str],
    pins: Mapping[str, str],
) -> dict[str, Any]:
    entry: dict[str, Any] = {"image": overlay.literal(spec.image)}
    if service.has_build:
        entry["build"] = overlay.RESET
    ignored = [key for key in IGNORED_DEPLOY[:3] if key in service.definition.get("deploy", {})]
    if ignored:
        entry["deploy"] = dict.fromkeys(ignored, overlay.RESET)
    if service.file_labels is not None:  # Compose looks for label files in the folder in which it is called
        entry["label_file"] = overlay.RESET
    entry["labels"] = {**(service.file_labels or {}), "lading.app": app, "lading.content": spec.content}
    if spec.secrets:
        entry["labels"]["lading.secrets"] = f"${{LADING_SECRETS_{index}}}"
    volumes = []
    for mount in service.mounts:
        key = shipped_key(mount.source, objects)
        if mount.kind != "bind" or key.startswith("/"):
            continue
        place = f"objects/{objects[key]}" if key in objects else f"project/{overlay.literal(key)}"
        volumes.append({
            "type": "bind", "source": "${LADING_DIR}/" + place, "target": overlay.literal(mount.target),
            **({"read_only": True} if mount.read_only else {}),
            **({"bind": dict(mount.options)} if mount.options else {}),
        })
    volumes += [{**written, "source": overlay.literal(pins.get(image, image))} for written, image in service.elsewhere.mounts]
    if volumes:
        entry["volumes"] = volumes
    if service.elsewhere.before:
        before = [{**written, "image": overlay.literal(pins.get(image, image))} if image else dict(written)
                  for written, image in service.elsewhere.before]
        entry["pre_start"] = overlay.Override(before)
    return entry


def interpolation(release: Release, generations: Mapping[str, int], app_dir: str) -> dict[str, str]:
    """The LADING_ variables that the overlay refers to: places and generation numbers, none of them secret."""
    values = {"LADING_DIR": app_dir}
    for number, name in enumerate(sorted(release.secrets)):
        values[f"LADING_GEN_{number}"] = str(generations.get(name, 0))
    for index, (_, spec) in enumerate(sorted(release.services.items())):
        if spec.secrets:
            values[f"LADING_SECRETS_{index}"] = generation_label(spec, generations)
    return values


def generation_label(spec: ServiceSpec, generations: Mapping[str, int]) -> str:
    """The value of the label `lading.secrets`: the generations of the secrets it uses, in the order of their names."""
    return ".".join(str(generations.get(name, 0)) for name in sorted(spec.secrets))


def empty(app: str) -> Release:
    """A release of nothing: stands for one that a host does not know."""
    return Release(app, "", ".", (), {}, {}, {}, (), {}, {}, {}, "")
