"""What this machine's Compose makes of a bundle: the normal form that every host's must equal."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lading import errors
from lading.compose import bundle, masking, plugin, project, release, snapshot


@contextlib.contextmanager
def laid_out(made: release.Bundle, numbers: Mapping[str, int]) -> Iterator[tuple[Path, list[int]]]:
    """A private folder in which a bundle lies as in an app's folder on a host, and the descriptors that its readers need."""
    files = [
        project.ShippedFile(f"releases/{made.release.id}/{f.path}", f.content, f.executable)
        for f in bundle.release_files(made)
    ]
    with snapshot.opened() as laid:
        lay_out(laid.project, [*files, *bundle.object_files(made, made.objects)])
        for name, value in made.secrets.items():
            path = f"secrets/{release.secret_path(name)}/{numbers[name]}"
            laid.add_secret(path, bundle.secret_content(name, value))
        yield laid.project, laid.descriptors


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
        env = release.interpolation(made.release, numbers, str(folder))
        done = plugin.run(argv, folder=folder, readable=folder, env=env, descriptors=descriptors)
    if done.status != 0:
        said = masking.hidden(done.error_text, made.secrets, made.release.plain).splitlines()
        raise errors.ComposeError(f"Compose refuses the bundle: {said[-1] if said else 'it does not say why'}",
                                  "lading bundle -o DIR, and look at compose.overlay.yaml")
    return done.stdout.decode("utf-8", "replace").replace(str(folder), "@DIR@")


def is_everywhere(form: str) -> bool:
    """Whether the same Compose makes the same of the same files on every host.

    A host has its own HOME and PATH. What refers to them by name is refused (`values.REFUSED`); `~` shows in the form.
    """
    return plugin.NOWHERE not in form


def arguments(made: release.Release, numbers: Mapping[str, int], folder: Path) -> list[str]:
    """The options of Compose for a release that lies in *folder*; the same as on a host (drivers/shell/observation.py)."""
    root = folder / "releases" / made.id
    where = root / "files" / made.directory
    options = [part for name in made.profiles for part in ("--profile", name)]
    options += ["-p", made.app, "--project-directory", str(where), "--env-file", str(root / "plain.env")]
    for name in made.secrets:
        if name.startswith("var."):
            options += ["--env-file", str(folder / "secrets" / release.secret_path(name) / str(numbers[name]))]
    for file in made.compose_files:
        options += ["-f", str(where / file)]
    return [*options, "-f", str(root / "compose.overlay.yaml")]
