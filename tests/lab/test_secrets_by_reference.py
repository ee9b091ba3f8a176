"""An app whose secrets come from a command and a file: they reach its containers as they are, and nothing that is shown."""

import json
import secrets
from dataclasses import replace

import yaml
from app_client import App
from lab_client import Lab


def test_from_the_source_to_the_container_and_nowhere_else(app: App, lab: Lab) -> None:
    words = {name: f"canary-{name}-{secrets.token_hex(8)}" for name in ("first", "second", "later")}
    fleet = lab.fleet / "by-reference.yaml"
    program, key = lab.fleet / "vault", lab.fleet / "key.pem"
    told = yaml.safe_load((lab.fleet / "lading.yaml").read_text())
    told["destinations"]["vault"] = {"hosts": ["web1", "web2"], "secrets": {
        "PASSWORD": {"command": ["./vault", "password"]}, "KEY": {"file": "key.pem"}, "UNUSED": {"command": ["./vault", "unused"]}}}
    fleet.write_text(yaml.safe_dump(told))
    program.write_text(f"#!/bin/sh\necho \"$1\" >>asked\necho {words['first']}\n")
    program.chmod(0o755)
    value = f"-----BEGIN-----\n{words['second']} $HOME '\" \\n\n-----END-----"
    key.write_text(value + "\n")
    app.edit('    volumes: ["/etc/hostname:/host-name:ro"]\n',
             '    volumes: ["/etc/hostname:/host-name:ro"]\n    environment: {PASSWORD: "${PASSWORD}", KEY: "${KEY}"}\n')
    own = replace(app, config=("--config", str(fleet)))
    said = []

    done = own.deploy("1.0.0", "-v", to="vault")
    said += [done.stdout, done.stderr]
    assert done.returncode == 0, done.stderr
    assert (lab.fleet / "asked").read_text() == "password\n"  # once, and no other
    for host in ("web1", "web2"):
        container = own.ids(host)["web"]
        given = json.loads(lab.exec(host, f"docker inspect -f '{{{{json .Config.Env}}}}' {container}").stdout)
        assert {f"PASSWORD={words['first']}", f"KEY={value}"} <= set(given)

    program.write_text(f"#!/bin/sh\necho {words['later']}\n")
    plan = own.lading("plan", "--version", "1.0.0", "--to", "vault")
    said += [plan.stdout, plan.stderr]
    assert "PASSWORD" in plan.stderr + plan.stdout and "changed" in plan.stderr + plan.stdout
    broken = own.deploy("1.2.0", "-v", to="vault")
    said += [broken.stdout, broken.stderr]
    assert broken.returncode == 5, broken.stderr
    assert [one for one in words.values() for text in said if one in text] == []
    kept = [path for path in (lab.root / "controller").rglob("*") if path.is_file() and path.resolve() not in (program, key)]
    assert [path for path in kept for one in words.values() if one.encode() in path.read_bytes()] == []
