"""What this machine's Compose makes of a bundle: the normal form that every host's must equal."""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lading import errors, process
from lading.compose import bundle, masking, plugin, project, release


@contextlib.contextmanager
def laid_out(made: release.Bundle, numbers: Mapping[str, int]) -> Iterator[tuple[Path, list[int]]]:
    """A private folder in which a bundle lies as in an app's folder on a host, and the descriptors that its readers need.

    Where the system has them, secrets are files without a name (memfd_create(2)), to which the folder only links: a
    process that is killed leaves none on the disk.
    """
    files = [
        project.ShippedFile(f"releases/{made.release.id}/{f.path}", f.content, f.executable)
        for f in bundle.release_files(made)
    ]
    secrets = {
        f"secrets/{release.secret_path(name)}/{numbers[name]}": bundle.secret_content(name, value)
        for name, value in made.secrets.items()
    }
    with tempfile.TemporaryDirectory(prefix="lading-") as name, contextlib.ExitStack() as opened:
        folder = Path(name).resolve()
        lay_out(folder, [*files, *bundle.object_files(made, made.objects)])
        descriptors = []
        for path, content in secrets.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if hasattr(os, "memfd_create"):
                unnamed = opened.enter_context(os.fdopen(os.memfd_create("secret"), "wb", buffering=0))
                unnamed.write(content)
                descriptors.append(unnamed.fileno())
                target.symlink_to(f"/proc/self/fd/{unnamed.fileno()}")
            else:
                target.write_bytes(content)
        yield folder, descriptors


def lay_out(folder: Path, files: Iterable[project.ShippedFile]) -> None:
    """Write files below *folder*, modes 0644 or 0755."""
    for file in files:
        target = folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(0o755 if file.executable else 0o644)


def form(made: release.Bundle, numbers: Mapping[str, int], environment: Mapping[str, str]) -> str:
    """The output of `docker compose config` over the bundle, the folder's name replaced by @DIR@. Holds secrets.

    Raises:
        ComposeError: Compose refuses the bundle (a bug, or a shape of file that lading does not know yet).
    """
    binary = plugin.find(environment)
    with laid_out(made, numbers) as (folder, descriptors):
        argv = [binary, *arguments(made.release, numbers, folder), "config", "--no-path-resolution"]
        env = {"PATH": environment.get("PATH", ""), "HOME": str(folder),
               **release.interpolation(made.release, numbers, str(folder))}
        done = process.run(argv, env=env, cwd=str(folder), descriptors=descriptors)
    if done.status != 0:
        said = masking.hidden(done.error_text, made.secrets, made.release.plain).splitlines()
        raise errors.ComposeError(f"Compose refuses the bundle: {said[-1] if said else 'without a word'}",
                                  "lading bundle -o DIR, and look at compose.overlay.yaml")
    return done.stdout.decode("utf-8", "replace").replace(str(folder), "@DIR@")


def arguments(made: release.Release, numbers: Mapping[str, int], folder: Path) -> list[str]:
    """The options of Compose for a release that lies in *folder*; the same as on a host (commands/docker.py)."""
    root = folder / "releases" / made.id
    where = root / "files" / made.directory
    options = ["-p", made.app, "--project-directory", str(where), "--env-file", str(root / "plain.env")]
    for name in made.secrets:
        if name.startswith("var."):
            options += ["--env-file", str(folder / "secrets" / release.secret_path(name) / str(numbers[name]))]
    for file in made.compose_files:
        options += ["-f", str(where / file)]
    return [*options, "-f", str(root / "compose.overlay.yaml")]
