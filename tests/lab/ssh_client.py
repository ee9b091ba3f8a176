"""People at the lab's controller who reach its hosts in ways of their own: a fleet file, a home, SSH settings, keys."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app_client import App
from lab_client import Done, Lab

ADDRESS = {"web1": "10.88.0.11", "web2": "10.88.0.12", "web3": "10.88.0.13", "stage1": "10.88.0.101"}
PORT = 2222  # of a second sshd
DIRECT = {name: f"{{address: {ADDRESS[name]}}}" for name in ("web1", "web2")}


def make_key(path: Path) -> Path:
    """An ed25519 key without a passphrase; its public half beside it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)], check=True)
    return path


def sign(authority: Path, key: Path, *words: str) -> str:
    """The certificate that *authority* makes for a key; *words* as ssh-keygen knows them (-h, -n NAMES, -V TIMES)."""
    subprocess.run(["ssh-keygen", "-q", "-s", str(authority), "-I", key.name, *words, f"{key}.pub"], check=True)
    return Path(f"{key}-cert.pub").read_text()


def public(key: Path) -> str:
    """A public key without its comment."""
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


@dataclass
class Person:
    """Somebody with a home, and in it a key that hosts know, SSH settings, pinned keys and a fleet file."""

    lab: Lab
    home: Path

    def __post_init__(self) -> None:
        """A home with the lab's key."""
        self.ssh.mkdir(parents=True, mode=0o700)
        for name in ("id_ed25519", "id_ed25519.pub"):
            (self.ssh / name).write_bytes((self.lab.root / "controller" / "ssh" / name).read_bytes())
            (self.ssh / name).chmod(0o600)
        self.pin((self.lab.fleet / "known_hosts").read_text())

    @property
    def ssh(self) -> Path:
        """The folder .ssh."""
        return self.home / ".ssh"

    @property
    def pins(self) -> Path:
        """The file of pinned keys."""
        return self.home / "known_hosts"

    def pin(self, text: str) -> None:
        """Trust these keys and no other."""
        self.pins.write_text(text)

    def configure(self, text: str) -> None:
        """Write ~/.ssh/config."""
        (self.ssh / "config").write_text(text)

    def deploys(self, app: App, hosts: Mapping[str, str] = DIRECT, user: str = "deploy") -> App:
        """*app* as this person deploys it: to these hosts, each with what a fleet file says of it."""
        text = (self.lab.fleet / "lading.yaml").read_text()
        registries = text[text.index("registries:"):].replace("ca: ca.pem", f"ca: {self.lab.fleet}/ca.pem")
        lines = ["lading: 1", "hosts:", *(f"  {name}: {words}" for name, words in hosts.items()),
                 f"ssh: {{{f'user: {user}, ' if user else ''}known_hosts: known_hosts, connect_timeout: 20}}"]
        (self.home / "lading.yaml").write_text("\n".join([*lines, registries]))
        return App(self.lab, app.folder, app.name, ("--config", str(self.home / "lading.yaml")), ("--home", str(self.home)))


def goes_round(app: App, *hosts: str) -> None:
    """Deploy, deploy again, where, roll back, where: all of it on all these hosts."""
    to = ",".join(hosts)
    for version in ("1.0.0", "1.1.0"):
        done = app.deploy(version, to=to)
        assert done.returncode == 0, done.stderr
        found = app.where()
        assert {(r["host"], r["version"], r["state"]) for r in found if r["service"] == "web"} == {
            (host, version, "healthy") for host in hosts}, found
    back = app.lading("rollback", app.name, "--to", to, "--yes")
    assert back.returncode == 0, back.stderr
    assert app.versions() == {(host, "1.0.0", "healthy") for host in hosts}


def is_refused(app: App, *said: str) -> Done:
    """A deployment to web1 and web2 ends with exit code 6, says all of this, and has changed nothing on either."""
    done = app.deploy("1.0.0")
    assert (done.returncode, [words for words in said if words not in done.stderr]) == (6, []), done.stderr
    left = [app.lab.exec(host, f"ls -d /var/lib/lading/apps/{app.name} /home/*/.lading/*/apps/{app.name}", check=False).stdout
            for host in ("web1", "web2")]
    assert (app.ids("web1"), app.ids("web2"), left) == ({}, {}, ["", ""])
    return done


@contextmanager
def reached_only_through(lab: Lab, peer: str, *hosts: str) -> Iterator[None]:
    """For a while, SSH of these hosts answers nobody but *peer*."""
    rule = f"INPUT -p tcp --dport 22 ! -s {ADDRESS[peer]} -j REJECT --reject-with tcp-reset"
    for host in hosts:
        lab.exec(host, f"iptables -w -I {rule}")
    try:
        yield
    finally:
        for host in hosts:
            lab.exec(host, f"iptables -w -D {rule}")


@contextmanager
def second_sshd(
    lab: Lab, host: str, key: Path, certificate: str = "", users: str = "", settings: Sequence[str] = ()
) -> Iterator[None]:
    """For a while, another sshd of *host* on port 2222: its own key and certificate, an authority for people's keys.

    *settings*: more lines of its configuration.
    """
    folder = "/etc/ssh/second"
    files = {"key": key.read_text(), "key-cert.pub": certificate, "users.pub": users}
    lines = [f"Port {PORT}", f"ListenAddress {ADDRESS[host]}", f"HostKey {folder}/key", f"PidFile {folder}/pid", "UsePAM no",
             "PasswordAuthentication no", "AuthorizedKeysFile none" if users else "",
             f"HostCertificate {folder}/key-cert.pub" if certificate else "",
             f"TrustedUserCAKeys {folder}/users.pub" if users else "", *settings]
    lab.exec(host, f"rm -rf {folder}; mkdir -p -m 700 {folder}")
    for name, text in {**files, "config": "\n".join([*lines, ""])}.items():
        lab.exec(host, ["/bin/sh", "-c", f'printf %s "$1" >{folder}/{name}; chmod 600 {folder}/{name}', "sh", text])
    lab.exec(host, f"/usr/sbin/sshd -f {folder}/config")
    lab.exec(host, f"timeout 20 sh -c 'until [ -s {folder}/pid ]; do sleep 0.05; done'")
    try:
        yield
    finally:
        lab.exec(host, f"kill $(cat {folder}/pid); rm -rf {folder}")


@contextmanager
def agent_with(folder: Path, key: Path | None) -> Iterator[str]:
    """An ssh-agent that holds *key*; the path of its socket."""
    path = folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        subprocess.run(["timeout", "20", "sh", "-c", 'until [ -S "$0" ]; do sleep 0.02; done', str(path)], check=True)
        if key is not None:
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env={"SSH_AUTH_SOCK": str(path), "PATH": "/usr/bin:/bin"})
        yield str(path)
    finally:
        agent.terminate()
        agent.wait()
