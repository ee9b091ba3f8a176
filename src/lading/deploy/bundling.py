"""Write what a deployment would upload, without secrets, for people to look at and for property tests."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lading import disk, errors, settings
from lading.compose import bundle, normal, project, reference, release
from lading.deploy import resolution
from lading.deploy.request import Request
from lading.inventory import hosts

NEW = "-o with a new folder or .tar in a folder that is there"


async def write(
    request: Request, environment: Mapping[str, str], fleet: settings.Settings | None, output: Path, *,
    digests: bool,
) -> dict[str, Any]:
    """Write the bundle to a new folder or a .tar; the document of `bundle --json`.

    Raises:
        InputError: the output exists or cannot be written, the project cannot be shipped, or only
            hosts can tell a digest.
    """
    disk.check_new(output, NEW)
    nowhere = hosts.Destination("", ())
    destination = fleet.inventory.choose_ruled(request.to)[0] if fleet and request.to else nowhere
    pins: dict[str, str] = {}
    if digests and fleet is not None:
        reading, found = await resolution.read_pinned(fleet, environment, request, destination)
        _check_known(found.of_hosts)
        pins = {image: reference.pinned(image, pin.digest) for image, pin in found.pinned.items()}
        pins |= found.of_hosts
        pins |= found.names
    else:
        reading = resolution.read_project(environment, request, destination, fleet)
    made = release.build(reading, pins)
    files = [*bundle.release_files(made), *bundle.object_files(made, made.objects)]
    with disk.writing(output, NEW):
        _write(output, files)
    where = "files/" if made.release.directory in ("", ".") else f"files/{made.release.directory}/"
    return {
        "app": made.release.app, "release": made.release.id,
        "compose_files": [*(where + name for name in made.release.compose_files), "compose.overlay.yaml"],
        "files": sorted(file.path for file in files),
    }


def _check_known(of_hosts: Mapping[str, str]) -> None:
    """Refuse images whose digest only hosts could tell, for none is asked here."""
    for image, wanted in of_hosts.items():
        if "@" not in wanted:
            name = reference.parse(image).registry
            raise errors.InputError(
                f"{image}: only hosts ask its registry (registries.{name}.resolve: host), "
                "and a bundle is made without them",
                f"--no-digests; or name its digest in the Compose file: {image}@sha256:…")


def _write(output: Path, files: Sequence[project.ShippedFile]) -> None:
    if output.suffix == ".tar":
        output.write_bytes(bundle.tar(files))
        return
    with tempfile.TemporaryDirectory(dir=output.resolve().parent) as name:
        normal.lay_out(Path(name) / "bundle", files)
        (Path(name) / "bundle").rename(output)
