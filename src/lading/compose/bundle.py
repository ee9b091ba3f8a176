"""A bundle as a tar stream and as variables files: what is uploaded, what `lading bundle` writes."""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from functools import lru_cache

from lading import canonical
from lading.compose import project, release

FOLDERS = "shipped.json"  # what lies in each shipped folder, beside the release: of a folder that has only its id


def env_line(name: str, value: str) -> str:
    """One line of a Compose env file that gives *name* exactly *value* (tried with the real binary in tests/contract).

    Single quotes keep everything but a quote and a final backslash; those go into double quotes with escapes.
    """
    if "'" not in value and not value.endswith("\\") and "\\'" not in value:
        return f"{name}='{value}'\n"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'{name}="{escaped}"\n'


def plain_env(values: Mapping[str, str]) -> str:
    """The env file of the plain variables, sorted by name."""
    return "".join(env_line(name, value) for name, value in sorted(values.items()))


def secret_content(name: str, value: bytes) -> bytes:
    """What is kept on a host for a secret: a variable as a line of an env file, a file as it is."""
    if not name.startswith("var."):
        return value
    return env_line(name.removeprefix("var."), value.decode()).encode()


def release_files(bundle: release.Bundle) -> list[project.ShippedFile]:
    """The files of the folder of a release: its JSON, the overlay, plain variables, FOLDERS, and `files/` as in the project."""
    return [
        *record_files(bundle.release),
        *_folders(bundle.objects),
        *(project.ShippedFile(f"files/{f.path}", f.content, f.executable) for f in bundle.files),
    ]


def _folders(objects: Mapping[str, tuple[project.ShippedFile, ...]]) -> list[project.ShippedFile]:
    """What the id of each shipped folder was made from, if there are folders; `canonical.object_id` gives it again."""
    folders = {
        id: [[one.path, one.executable, _sum(one.content)] for one in files]
        for id, files in objects.items() if any(one.path for one in files)
    }
    return [project.ShippedFile(FOLDERS, canonical.form({"v": 1, "folders": folders}))] if folders else []


@lru_cache(maxsize=100_000)  # the same contents go to each host, and their sums would hold up all others
def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def record_files(made: release.Release) -> list[project.ShippedFile]:
    """Those that follow from the release itself."""
    return [
        project.ShippedFile("release.json", made.canonical()),
        project.ShippedFile("compose.overlay.yaml", made.overlay.encode()),
        project.ShippedFile("plain.env", plain_env(made.plain).encode()),
    ]


def object_files(bundle: release.Bundle, wanted: Iterable[str]) -> list[project.ShippedFile]:
    """The files of the shipped objects in *wanted*, below `objects/`."""
    return [
        project.ShippedFile(f"objects/{name}" + (f"/{f.path}" if f.path else ""), f.content, f.executable)
        for name in sorted(wanted)
        for f in bundle.objects[name]
    ]


def tar(files: Iterable[project.ShippedFile]) -> bytes:
    """The files as a tar: modes 0644 or 0755, no owner, no time; folders come by themselves."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.size = len(file.content)
            entry.mode = 0o755 if file.executable else 0o644
            archive.addfile(entry, io.BytesIO(file.content))
    return out.getvalue()
