"""Hostile repositories, made by code: what each holds, so that nothing in lading's own repository is hostile.

In texts REG stands for a checked registry, OUT for a folder outside of the repository, PROGRAM for a program there that
notes that it was run, and LURE for a server that nobody configured.
"""

from collections.abc import Mapping

WEB = "name: shop\nservices:\n  web:\n    image: REG/team/app:1.0\n"
ENTRY = Mapping[str, str]  # path → text; "-> PATH" is a symlink to PATH


def web(*lines: str, more: str = "") -> ENTRY:
    """A Compose file whose service has these lines too."""
    return {"compose.yaml": WEB + "".join(f"    {line}\n" for line in lines) + more}


def fleet(text: str) -> ENTRY:
    """A fleet file in the repository, found by walking up."""
    hosts = "" if "hosts" in text or "inventory" in text else "hosts: {web1: {address: 127.0.0.1, port: 1}}\n"
    return {"compose.yaml": WEB, "lading.yaml": f"lading: 1\n{hosts}{text}"}


LEAK = "REG/leak:${STOLEN:-x}"
INCLUDE_OUT = 'include: [{path: inner.yaml, env_file: OUT/secret.env}]\n'
INNER = "services: {leak: {image: 'REG/leak:${STOLEN:-x}'}}\n"
BOMB = "x-a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"x-a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))

COMPOSE: Mapping[str, ENTRY] = {
    # what is read
    "two documents": {"compose.yaml": f"{WEB}---\n{INCLUDE_OUT}", "inner.yaml": INNER},
    "a document before it": {"compose.yaml": f"{INCLUDE_OUT}---\n{WEB}", "inner.yaml": INNER},
    "a binary key": {"compose.yaml": f"{WEB}!!binary \"aW5jbHVkZQ==\": [{{path: inner.yaml, env_file: OUT/secret.env}}]\n", "inner.yaml": INNER},
    "a tag on a key": {"compose.yaml": f"{WEB}!!str include: [{{path: inner.yaml, env_file: OUT/secret.env}}]\n", "inner.yaml": INNER},
    "a key twice": {"compose.yaml": f"{WEB}include: []\n{INCLUDE_OUT}", "inner.yaml": INNER},
    "a key in UTF-16": {"compose.yaml": f"{WEB}\"incl\\u0075de\": [{{path: inner.yaml, env_file: OUT/secret.env}}]\n", "inner.yaml": INNER},
    "a merge key": {"compose.yaml": f"x-more: &more {{env_file: OUT/secret.env}}\nname: shop\nservices: {{web: {{<<: *more, image: '{LEAK}'}}}}\n"},
    "a bomb of aliases": {"compose.yaml": WEB + BOMB},
    "an alias to itself": {"compose.yaml": f"{WEB}x-a: &a [*a]\n"},
    "an absolute include": {"compose.yaml": f"include: [OUT/compose.yaml]\n{WEB}"},
    "an include with a foreign env file": {"compose.yaml": INCLUDE_OUT + WEB, "inner.yaml": INNER},
    "an include above": {"compose.yaml": f"include: [../outside/compose.yaml]\n{WEB}"},
    "an included project folder elsewhere": {"compose.yaml": f"include: [{{path: inner.yaml, project_directory: OUT}}]\n{WEB}", "inner.yaml": INNER},
    "an include out of Git": {"compose.yaml": f"include: ['https://LURE/x.git']\n{WEB}"},
    "an include by SSH": {"compose.yaml": f"include: ['git@LURE:x/y.git']\n{WEB}"},
    "an include out of a registry": {"compose.yaml": f"include: ['oci://LURE/x:1']\n{WEB}"},
    "an included include": {"compose.yaml": f"include: [inner.yaml]\n{WEB}", "inner.yaml": "include: [OUT/compose.yaml]\n"},
    "extends elsewhere": web("extends: {file: OUT/compose.yaml, service: web}"),
    "extends out of Git": web("extends: {file: 'https://LURE/x.git', service: web}"),
    "an absolute env file": web("env_file: OUT/secret.env"),
    "an env file above": web("env_file: ../outside/secret.env"),
    "an env file by a symlink": {**web("env_file: link.env"), "link.env": "-> ../outside/secret.env"},
    "an env file by a variable": {**web("env_file: '${WHERE}'"), ".env": "WHERE=OUT/secret.env\n"},
    "an env file that is no file": web("env_file: /dev/zero"),
    "a label file elsewhere": web("label_file: OUT/secret.env"),
    "a config elsewhere": web(more="configs: {c: {file: OUT/secret.env}}\n"),
    "a secret elsewhere": web("secrets: [s]", more="secrets: {s: {file: OUT/secret.env}}\n"),
    "a secret by a symlink": {**web("secrets: [s]", more="secrets: {s: {file: ./link}}\n"), "link": "-> ../outside/secret.env"},
    "a bind by a symlink to a folder": {**web("volumes: ['./conf:/conf:ro']"), "conf": "-> ../outside"},
    "a file in a bind by a symlink": {**web("volumes: ['./conf:/conf:ro']"), "conf/a": "-> ../../outside/secret.env"},
    "a .env by a symlink": {"compose.yaml": WEB.replace("app:1.0", "leak:${STOLEN:-x}"), ".env": "-> ../outside/secret.env"},
    "the Compose file by a symlink": {"compose.yaml": "-> ../outside/compose.yaml"},
    "the Git folder": web("volumes: ['./.git:/git:ro']"),
    # what is taken of the environment
    "a password in an image": {"compose.yaml": f"name: shop\nservices: {{web: {{image: '{LEAK.replace('STOLEN', 'REG_PASSWORD')}'}}}}\n"},
    "a token in an image": {"compose.yaml": f"name: shop\nservices: {{web: {{image: '{LEAK.replace('STOLEN:-x', 'CI_JOB_TOKEN')}'}}}}\n"},
    "a password in the environment": web("environment: [REG_PASSWORD, 'B=${CI_JOB_TOKEN:-}']"),
    "a secret of the environment": web("secrets: [s]", more="secrets: {s: {environment: CI_JOB_TOKEN}}\n"),
    "a config of the environment": web("configs: [c]", more="configs: {c: {environment: CI_JOB_TOKEN}}\n"),
    "a password in a build argument": {**web("build: {context: ., args: [REG_PASSWORD, 'B=${CI_JOB_TOKEN:-}']}"), "Dockerfile": "FROM scratch\n"},
    "a variable in an env file": {**web("env_file: a.env"), "a.env": "A=${CI_JOB_TOKEN:-none}\nREG_PASSWORD\n"},
    "a variable in .env": {"compose.yaml": WEB.replace("app:1.0", "leak:${A}"), ".env": "A=${CI_JOB_TOKEN:-none}\n"},
    "variables that steer Compose": {"compose.yaml": WEB, ".env": "COMPOSE_FILE=OUT/compose.yaml\nCOMPOSE_ENV_FILES=OUT/secret.env\nDOCKER_HOST=tcp://LURE\n"},
    # what is built, and run
    "an absolute Dockerfile": web("build: {context: ., dockerfile: OUT/secret.env}"),
    "a Dockerfile above": web("build: {context: ., dockerfile: ../outside/secret.env}"),
    "a Dockerfile by a symlink": {**web("build: ."), "Dockerfile": "-> ../outside/secret.env"},
    "a build context elsewhere": web("build: OUT"),
    "a build context out of Git": web("build: 'https://LURE/x.git'"),
    "another context elsewhere": web("build: {context: ., additional_contexts: {x: OUT}}"),
    "a build secret elsewhere": web("build: {context: ., secrets: [s]}", more="secrets: {s: {file: OUT/secret.env}}\n"),
    "a provider": web(more="  run:\n    provider: {type: PROGRAM}\n"),
    "a credential helper in the repository": {"compose.yaml": WEB, ".docker/config.json": '{"credsStore": "evil"}', "docker-credential-evil": "#!/bin/sh\necho >PROGRAM.ran\n"},
    "programs of Git's and Compose's names": {"compose.yaml": WEB, "git": "#!/bin/sh\necho >PROGRAM.ran\n", "docker-compose": "#!/bin/sh\necho >PROGRAM.ran\n"},
    "a module of Python's": {"compose.yaml": WEB, "lading.py": "raise SystemExit(99)\n", "json.py": "raise SystemExit(99)\n", "sitecustomize.py": "raise SystemExit(99)\n"},
}

FLEET: Mapping[str, ENTRY] = {
    "a fleet file with a password command": fleet("registries: {'REG': {insecure: true, username: ci, password: {command: [PROGRAM]}}}\n"),
    "a fleet file with a vault command": fleet("transport: ansible\nansible: {vault_password_command: [PROGRAM]}\n"),
    "a fleet file with an inventory program": {**fleet("inventory: ./hosts.sh\n"), "hosts.sh": "#!/bin/sh\necho >PROGRAM.ran\necho '{}'\n"},
    "a fleet file with a variable": fleet("registries: {'LURE': {insecure: true, username: ci, password: {env: REG_PASSWORD}}}\n"),
    "a fleet file with a ledger": fleet("ledger: {url: {env: CI_JOB_TOKEN}}\n"),
    "a fleet file with an ansible.cfg": {**fleet("inventory: ./hosts\nansible: {config: ansible.cfg}\n"), "hosts": "web1\n",
                                         "ansible.cfg": "[defaults]\ninventory = PROGRAM\nlibrary = .\n"},
}

SMALL = (
    "two documents", "a binary key", "an absolute env file", "an include out of a registry", "a file in a bind by a symlink",
    "a password in an image", "an absolute Dockerfile", "a fleet file with a password command",
)
ALL_VERBS = (
    "two documents", "an absolute env file", "a secret by a symlink", "a password in an image", "a password in a build argument",
    "an absolute Dockerfile", "a fleet file with a variable", "programs of Git's and Compose's names",
)
