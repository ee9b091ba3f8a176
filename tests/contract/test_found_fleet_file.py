"""A fleet file that lading found in a folder, and that nobody named: nothing of it runs before `lading config allow`."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from lading import allowed, options
from lading import found as finding
from lading.cli import completing, main

PLAIN = "lading: 1\nhosts: {web1: {address: 127.0.0.1, port: 1, user: deploy}}\ndestinations: {production: {hosts: [web1]}}\n"
COMPOSE = "name: shop\nservices: {web: {image: 'registry.invalid/shop:1'}}\n"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Checkout:
    """A folder as it was cloned, of a user with a HOME of their own; *ran*: a program of it has run."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.patch, self.capture = patch, capture
        self.folder, self.mark = path / "shop", path / "ran"
        self.folder.mkdir()
        (path / "home").mkdir()
        (self.folder / "compose.yaml").write_text(COMPOSE)
        self.program("spy")
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(path / "home"), "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(sys.path), "CANARY": "CANARYvalue",
        }

    def program(self, name: str, prints: str = "{}") -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\ntouch {self.mark}\necho '{prints}'\n")
        path.chmod(0o755)
        return path

    def fleet(self, more: str, plain: str = PLAIN) -> None:
        (self.folder / "lading.yaml").write_text(plain + more)

    def lading(self, *words: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> Done:
        """The command in this process, in the user's own environment; it has no terminal."""
        self.patch.chdir(cwd or self.folder)
        for name in tuple(os.environ):
            self.patch.delenv(name)
        for name, value in {**self.environment, **(env or {})}.items():
            self.patch.setenv(name, value)
        with pytest.raises(SystemExit) as left:
            main.main(list(words))
        said = self.capture.readouterr()
        return Done(int(left.value.code or 0), said.out, said.err)

    @property
    def ran(self) -> bool:
        return self.mark.exists()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checkout:
    return Checkout(tmp_path, monkeypatch, capsys)


INVENTORY = "lading: 1\n"
RUNS = {  # what stands in the file, and the option that is named
    "an inventory that is a program": ("inventory: spy\n", "inventory"),
    "in its long form": ("inventory: {path: spy, labels: [zone]}\n", "inventory"),
    "a password command": ("registries: {registry.invalid: {username: ci, password: {command: [./spy]}}}\n", "registries.registry.invalid.password.command"),
    "a password variable": ("registries: {registry.invalid: {username: ci, password: {env: CANARY}}}\n", "registries.registry.invalid.password.env"),
    "a ledger": ("ledger: {url: {env: CANARY}}\n", "ledger.url.env"),
    "a vault command": ("ansible: {vault_password_command: [./spy]}\n", "ansible.vault_password_command"),
    "a vault file": ("ansible: {vault_password_file: spy}\n", "ansible.vault_password_file"),
    "an ansible.cfg": ("ansible: {config: ansible.cfg}\n", "ansible.config"),
    "Ansible's inventory": ("ansible: {inventory: spy}\n", "ansible.inventory"),
    "Ansible for all hosts": ("transport: ansible\n", "transport"),
    "pins of another folder": ("ssh: {known_hosts: ../elsewhere}\n", "ssh.known_hosts"),
    "a CA of another folder": ("registries: {registry.invalid: {ca: /etc/hostname}}\n", "registries.registry.invalid.ca"),
    "credentials for another host": ("registries: {registry.invalid: {auth: elsewhere.invalid}}\n", "registries.registry.invalid.auth"),
    "credentials without TLS": ("registries: {registry.invalid: {insecure: yes}}\n", "registries.registry.invalid.insecure"),
    "passed variables": ("pass_env: [CANARY]\n", "pass_env"),
    "passed variables of a destination": ("destinations: {production: {hosts: [web1], pass_env: [CANARY]}}\n", "destinations.production.pass_env"),
    "a secret's command": ("destinations: {production: {hosts: [web1], secrets: {DB: {command: [./spy]}}}}\n", "destinations.production.secrets.DB.command"),
    "a secret of the environment": ("destinations: {production: {hosts: [web1], secrets: {env: {env: CANARY}}}}\n", "destinations.production.secrets.env"),
    "a secret that sops decrypts": ("destinations: {production: {hosts: [web1], secrets: {DB: {sops: x.yaml, key: a}}}}\n", "destinations.production.secrets.DB.sops"),
    "a secret file of another folder": ("destinations: {production: {hosts: [web1], secrets: {DB: {file: ../x}}}}\n", "destinations.production.secrets.DB.file"),
    "an age key of another folder": ("destinations: {production: {hosts: [web1], secrets: {DB: {age: x.age, key: ~/key}}}}\n", "destinations.production.secrets.DB.key"),
    "a password file of another folder": ("registries: {registry.invalid: {username: ci, password: {file: /etc/hostname}}}\n", "registries.registry.invalid.password.file"),
    "a webhook": ("destinations: {production: {hosts: [web1], notify: {url: 'https://elsewhere.invalid/'}}}\n", "destinations.production.notify.url"),
    "a webhook of the environment": ("destinations: {production: {hosts: [web1], notify: [{url: {env: CANARY}}]}}\n", "destinations.production.notify.0.url.env"),
    "by an anchor": ("registries: {a.invalid: &a {password: {command: [./spy]}}, b.invalid: *a}\n", "registries.b.invalid.password.command"),
}


def plain(option: str, more: str) -> str:
    """What stands before an entry: nothing that it says itself."""
    if "inventory" in option and "ansible" not in option:
        return INVENTORY
    return PLAIN.partition("destinations")[0] if "destinations:" in more else PLAIN


VERBS = (
    ("hosts", "list"), ("check",), ("where",), ("plan", "--to", "production", "--version", "1"), ("history",), ("build",),
    ("deploy", "--to", "production", "--version", "1", "--yes"), ("hosts", "trust", "--yes"), ("ledger", "verify"),
)


@pytest.mark.parametrize("case", RUNS)
def test_nothing_is_run_or_read(case: str, checkout: Checkout) -> None:
    more, option = RUNS[case]
    checkout.fleet(more, plain(option, more))
    for words in VERBS:
        done = checkout.lading(*words, "--json") if words[0] in ("where", "check") else checkout.lading(*words)
        said = done.stdout + done.stderr
        assert (done.returncode, checkout.ran) == (4, False), (words, said)
        assert option in said and "lading config allow" in said, (words, said)
        assert "CANARYvalue" not in said


@pytest.mark.parametrize("case", RUNS)
def test_completion_runs_nothing_wherever_the_file_is_from(case: str, checkout: Checkout) -> None:
    more, option = RUNS[case]
    bare = "inventory" in option and "ansible" not in option
    checkout.fleet(more, plain(option, more))
    named = {"LADING_CONFIG": str(checkout.folder / "lading.yaml")}
    for env in ({}, named):
        checkout.lading("--help", env=env)
        context = click.Context(main.cli)
        found = completing.destinations(context, click.Option(["--to"]), "")
        assert checkout.ran is False
        assert found == ([] if bare else ["production", "web1"])
        assert completing.apps(context, click.Option(["--to"]), "") == []
    assert checkout.ran is False


def test_allowed_it_runs_until_an_entry_changes(checkout: Checkout) -> None:
    checkout.program("spy", json.dumps({"web": {"hosts": ["web1"]}, "_meta": {"hostvars": {"web1": {"ansible_host": "127.0.0.1"}}}}))
    checkout.fleet("inventory: spy\n", INVENTORY)
    shown = checkout.lading("config", "allow", "--show")
    assert (shown.returncode, checkout.ran) == (0, False) and "not allowed" in shown.stdout and "inventory" in shown.stdout
    asked = checkout.lading("config", "allow")
    assert (asked.returncode, checkout.ran) == (4, False)
    done = checkout.lading("config", "allow", "--yes")
    assert done.returncode == 0 and "spy" in done.stdout, done.stderr
    kept = Path(checkout.environment["HOME"]) / ".local/state/lading/allowed.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    listed = checkout.lading("hosts", "list")
    assert (listed.returncode, checkout.ran) == (0, True), listed.stderr
    assert "web1" in listed.stdout

    checkout.fleet("# another line\ninventory: spy\nssh: {user: ops}\n", INVENTORY)
    assert checkout.lading("hosts", "list").returncode == 0  # the entry is the same
    checkout.mark.unlink()
    checkout.fleet("inventory: ./spy\n", INVENTORY)
    changed = checkout.lading("hosts", "list")
    assert (changed.returncode, checkout.ran) == (4, False)
    assert "not what you allowed" in changed.stderr


def test_a_program_that_changed_is_another(checkout: Checkout) -> None:
    checkout.fleet("inventory: spy\n", INVENTORY)
    assert checkout.lading("config", "allow", "--yes").returncode == 0
    checkout.program("spy", '{"other": {}}')
    done = checkout.lading("hosts", "list")
    assert (done.returncode, checkout.ran) == (4, False)


def test_what_was_allowed_counts_for_that_file_and_that_user_alone(checkout: Checkout, tmp_path: Path) -> None:
    checkout.fleet("inventory: spy\n", INVENTORY)
    assert checkout.lading("config", "allow", "--yes").returncode == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "lading.yaml").symlink_to(checkout.folder / "lading.yaml")
    assert checkout.lading("hosts", "list", cwd=other).returncode == 4
    kept = Path(checkout.environment["HOME"]) / ".local/state/lading/allowed.json"
    kept.chmod(0o644)  # as a file in a repository would be
    assert checkout.lading("hosts", "list").returncode == 4
    kept.chmod(0o600)
    kept.write_text("{")
    assert checkout.lading("hosts", "list").returncode == 4


def test_a_file_that_was_named_needs_no_word(checkout: Checkout) -> None:
    checkout.fleet("registries: {registry.invalid: {username: ci, password: {env: CANARY}}}\n")
    path = str(checkout.folder / "lading.yaml")
    assert checkout.lading("hosts", "list").returncode == 4
    assert checkout.lading("hosts", "list", env={"LADING_CONFIG": path}).returncode == 0
    assert checkout.lading("--config", path, "hosts", "list").returncode == 0
    own = Path(checkout.environment["HOME"]) / ".config/lading"
    own.mkdir(parents=True)
    (checkout.folder / "lading.yaml").rename(own / "lading.yaml")
    assert checkout.lading("hosts", "list").returncode == 0


def test_a_plain_fleet_file_with_pins_beside_it_needs_no_word(checkout: Checkout) -> None:
    checkout.fleet("ssh: {known_hosts: known_hosts}\npass_env: []\nregistries: {registry.invalid: {username: ci, ca: ca.pem}}\n")
    (checkout.folder / "known_hosts").write_text("")
    assert checkout.lading("hosts", "list").returncode == 0
    (checkout.folder / "known_hosts").unlink()
    (checkout.folder / "known_hosts").symlink_to(Path(checkout.environment["HOME"]) / "authorized_keys")
    assert checkout.lading("hosts", "trust", "--yes").returncode == 4


def test_words_of_labels_and_variables_ask_for_nothing(checkout: Checkout) -> None:
    checkout.fleet("", "lading: 1\nhosts: {env: {address: 127.0.0.1, labels: {env: prod, command: x}}, command: {address: 127.0.0.2}}\n"
                       "destinations: {config: {hosts: [command], labels: {env: a}, variables: {env: b}}}\n")
    assert checkout.lading("hosts", "list").returncode == 0


def test_what_init_wrote_is_allowed(checkout: Checkout) -> None:
    done = checkout.lading("init", "--host", "127.0.0.1", "--user", "deploy", "--registry", "registry.invalid", "--username", "ci",
                           "--no-check", "--yes")
    assert done.returncode == 0, done.stderr
    listed = checkout.lading("hosts", "list")
    assert (listed.returncode, "host1" in listed.stdout) == (0, True), listed.stderr


@pytest.mark.parametrize("word", ["a`touch RAN`", "$(touch RAN)", "-oProxyCommand=x", "a;b", "a b"])
def test_an_address_means_nothing_to_a_shell(word: str, checkout: Checkout) -> None:
    for key in ("address", "user", "jump"):
        checkout.fleet("", f"lading: 1\nhosts: {{web1: {{{key}: {json.dumps(word)}}}}}\n")
        done = checkout.lading("hosts", "list")
        assert done.returncode == 2 and f"hosts.web1.{key}" in done.stderr, done.stderr


def test_every_option_that_runs_or_reads_is_asked_for(tmp_path: Path) -> None:
    """A new option of such a name cannot be forgotten: each is asked for by its own path."""
    words = ("env", "command", "vault_password_command", "vault_password_file", "pass_env", "inventory", "config")
    risky = [one.path for one in options.OPTIONS if one.path.rpartition(".")[2] in words]
    assert len(risky) >= 5
    for path in risky:
        text, depth = "lading: 1\n", 0
        for part in path.split("."):
            text += "  " * depth + f"{part}:\n"
            depth += 1
        (tmp_path / "lading.yaml").write_text(text + "  " * depth + "[x]\n")
        assert [one.option for one in finding.entries(tmp_path / "lading.yaml")] == [path], path


def test_what_is_allowed_does_not_depend_on_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "lading.yaml"
    path.write_text("lading: 1\ninventory: a\ntransport: ansible\n")
    first = allowed.digest(path, finding.entries(path))
    path.write_text("lading: 1\n\ntransport: ansible\nhosts: {}\n# more\ninventory: 'a'\n")
    assert allowed.digest(path, finding.entries(path)) == first
    path.write_text("lading: 1\ninventory: b\ntransport: ansible\n")
    assert allowed.digest(path, finding.entries(path)) != first
