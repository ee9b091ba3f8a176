"""What a team had before lading, for the tests of moving in and out: files copied to a host, `docker compose up` there, over ssh."""

import json

from app_client import App
from lab_client import Done

BOTH = ("web1", "web2")


class Playbook:
    """An app's folder at a fixed path of each host, as a playbook keeps it."""

    def __init__(self, app: App) -> None:
        self.app, self.lab = app, app.lab
        self.folder = f"/home/deploy/{app.name}"

    def login(self) -> None:
        """`docker login` on the hosts, which plain Compose needs to pull."""
        for host in BOTH:
            self.lab.run("ssh", host, "docker login -u ci --password-stdin registry.lab:5000", stdin=self.lab.password)

    def copy(self, host: str) -> None:
        """Copy the app's folder."""
        line = f"tar -cf - . | ssh {host} 'mkdir -p {self.folder} && tar -C {self.folder} -xf -'"
        self.lab.run("sh", "-c", line, cwd=self.app.folder)

    def up(self, host: str, version: str, *services: str, more: str = "") -> None:
        """Copy the app's folder, bring the project (or some services) up; *more*: variables."""
        self.copy(host)
        line = f"env VERSION={version} {more} docker compose -f docker-compose.yml up -d {' '.join(services)}"
        self.lab.ssh(host, f"cd {self.folder} && {line}", timeout=120)

    def forget(self) -> None:
        """Remove the folders and the logins."""
        for host in BOTH:
            self.lab.exec(host, f"rm -rf {self.folder} /home/deploy/.docker", check=False)


def adopt(app: App, *words: str, version: str = "1.0.0", to: str = "web1,web2", env: dict[str, str] | None = None) -> Done:
    """`lading adopt APP --version V --to …`."""
    return app.lading("adopt", app.name, "--version", version, "--to", to, *words, env=env)


def lives(app: App, host: str) -> dict[str, tuple[str, str, str]]:
    """Service → container id, when it was made, when it was started."""
    lines = app.lab.exec(
        host, f"docker ps -aq --no-trunc --filter label=com.docker.compose.project={app.name} | xargs -r docker inspect -f "
        "'{{index .Config.Labels \"com.docker.compose.service\"}} {{.Id}} {{.Created}} {{.State.StartedAt}}'").stdout.splitlines()
    return {line.split()[0]: (line.split()[1], line.split()[2], line.split()[3]) for line in lines}


def all_lives(app: App) -> dict[str, dict[str, tuple[str, str, str]]]:
    """The same of both hosts."""
    return {host: lives(app, host) for host in BOTH}


def drift(app: App) -> set[tuple[str, str]]:
    """(service, field) of what `lading drift` finds; its exit code is checked."""
    done = app.lading("drift", app.name, "--json")
    found = {(row["service"], row["field"]) for row in json.loads(done.stdout)}
    assert done.returncode == (1 if found else 0)
    return found


def commit_all(app: App) -> None:
    """Put the app's folder into Git, so that its files ship."""
    app.lab.run("sh", "-c", "git init -q . && git add -A && git -c user.email=a@b -c user.name=a commit -qm a", cwd=app.folder)
