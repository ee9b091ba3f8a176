"""Generate ARCHITECTURE.md's tree and docs/reference from the code; `--check` fails if they are out of step."""

import ast
import dataclasses
import importlib
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "lading"
BEGIN, END = "<!-- tree: made by scripts/docs.py -->", "<!-- end -->"
NOTE = "<!-- made by scripts/docs.py; run `make docs` -->\n\n"


def first_line(path: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]


def tree() -> str:
    """One line a module, folders first named by their own docstring."""
    lines = []
    for path in sorted(SOURCE.rglob("*.py"), key=lambda p: (p.parent != SOURCE, p.parent, p.name != "__init__.py", p.name)):
        name = path.relative_to(SOURCE).as_posix()
        shown = name.removesuffix("__init__.py") if name != "__init__.py" else "lading/"
        indent = "" if shown.endswith("/") or "/" not in shown else "  "
        lines.append(f"{indent}{shown.split('/')[-1] if indent else shown:<22} {first_line(path)}".rstrip())
    return "```\n" + "\n".join(lines) + "\n```\n"


def import_rule() -> str:
    """The layers of the import contract, from those that may import all to those that import nothing."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["type"] == "layers")
    return " → ".join(f"({layer})" if "|" in layer else layer for layer in layers)


def architecture() -> str:
    """ARCHITECTURE.md with its tree and its import rule anew."""
    head, _, rest = (ROOT / "ARCHITECTURE.md").read_text().partition(BEGIN)
    after = re.sub(r"(?<=\*\*Import rule\*\* \(import-linter, in pyproject\.toml\): `)[^`]*", import_rule(), rest.partition(END)[2])
    return f"{head}{BEGIN}\n{tree()}{END}{after}"


def cli() -> str:
    """Each command's --help."""
    import click

    from lading.cli.main import cli as group

    parts = [NOTE + "# Commands\n"]

    def add(command: click.Command, path: tuple[str, ...]) -> None:
        context = click.Context(command, info_name=" ".join(path), max_content_width=100, terminal_width=100)
        parts.append(f"## {' '.join(path)}\n\n```\n{command.get_help(context)}\n```\n")
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                child = command.get_command(context, name)
                if child is not None:
                    add(child, (*path, name))

    add(group, ("lading",))
    return "\n".join(parts)


def settings() -> str:
    """The options of lading.yaml and an example that loads."""
    module = importlib.import_module("lading.options")
    rows = "".join(f"| `{o.path}` | {o.type} | {o.default} | {o.help} |\n" for o in module.OPTIONS)
    table = "| option | type | default | what for |\n| --- | --- | --- | --- |\n" + rows
    return f"{NOTE}# lading.yaml\n\n{table}\n```yaml\n{module.example()}```\n"


def rights() -> str:
    """The words of `allow:`, and what every key of a Compose file means there."""
    module = importlib.import_module("lading.compose.rights")
    table = importlib.import_module("lading.compose.keys").TABLE
    words = "".join(f"| `{name}` | {says} |\n" for name, says in module.RIGHTS.items())
    rows = "".join(f"| `{key}` | {'refused: ' if rule.refused else ''}{rule.word} |\n" for key, rule in table.items())
    head = (
        "`allow: [RIGHT, RIGHT:ARGUMENT, …]` of a destination (lading.yaml) names what apps may do with its hosts. The bare word\n"
        "gives all of a right; `host-path:/srv` gives what lies below /srv; every other argument is that one. What is not named\n"
        "is refused there with exit 4, and so is a key that lading does not know. A destination without `allow:` takes all, and\n"
        "the plan has a line for each right. Keys are those of Compose's normal form, after anchors, `extends`, `include`,\n"
        "overrides and variables. [Why](../decisions/0029-rights-are-judged-on-the-normal-form.md)\n")
    return (f"{NOTE}# Rights over hosts\n\n{head}\n| right | an app with it |\n| --- | --- |\n{words}\n## Every key\n\n"
            f"`*` stands for a name.\n\n| key | under `allow:` |\n| --- | --- |\n{rows}")


def compose() -> str:
    """What becomes of every key of a Compose file."""
    module = importlib.import_module("lading.compose.handling")
    extension = importlib.import_module("lading.compose.checks").EXTENSION
    kinds = "".join(f"- **{kind}**: {says}\n" for kind, says in module.KINDS.items())
    rows = "".join(f"| `{key}` | {one.kind} | {one.says} |\n" for key, one in module.table().items())
    return (
        f"{NOTE}# What becomes of each key of a Compose file\n\n{kinds}\n"
        "A key that is not in this table is **unknown**: Compose has learned it later. The host's Compose carries it out, if it knows it, and the\n"
        "plan names it among the rights of the app; a destination with `allow:` refuses it. What a key gives an app over its host is told by\n"
        "[reference/rights.md](reference/rights.md).\n\n"
        f"Keys `x-…` are for people and tools; lading reads `x-lading` ({', '.join(f'`{key}`' for key in extension)}) at the top of the file.\n"
        "`*` stands for a name, keys are those of Compose's normal form: after anchors, `extends`, `include`, overrides and variables.\n\n"
        f"| key | who | how |\n| --- | --- | --- |\n{rows}")


def errors() -> str:
    """Every error with its kind and exit code."""
    module = importlib.import_module("lading.errors")
    kinds: list[Any] = [k for k in vars(module).values() if isinstance(k, type) and issubclass(k, module.LadingError)]
    rows = "".join(f"| {k.__name__} | `{k.kind}` | {k.exit_code} | {k.__doc__} |\n" for k in kinds)
    return f"{NOTE}# Errors\n\n| error | kind in JSON | exit code | when |\n| --- | --- | --- | --- |\n{rows}"


def events() -> str:
    """Every event with its fields."""
    module = importlib.import_module("lading.events")
    parts = [NOTE + "# Events\n\nEach also has `deployment`, `host` and `step`.\n"]
    for name, kind in module.KINDS.items():
        own = [f.name for f in dataclasses.fields(kind) if f.name not in ("deployment", "host", "step")]
        parts.append(f"- **{name}** ({', '.join(own) or 'no more'}): {(kind.__doc__ or '').splitlines()[0]}")
    return "\n".join(parts) + "\n"


def documents() -> str:
    """Every JSON document with its fields, from the schemas."""
    module = importlib.import_module("lading.cli.documents")
    parts = [
        f"{NOTE}# JSON\n\n`--json` prints one document on stdout, all else goes to stderr. Its schema (JSON Schema 2020-12) lies in the package, `lading/schemas/NAME.json`,\n"
        "and is what this page is made of. A field that is gone, or means something else, raises `v`; fields may be added without it: leave out what you\n"
        "do not know. In a list each row has `v`. [Why](../decisions/0097-a-version-in-every-document.md)\n"]
    for name in module.VERSIONS:
        schema = module.schema(name)
        row = schema.get("items", schema)
        told = "A list; a row: " if "items" in schema else ""
        parts.append(f"## {name}\n\nOf {schema['title']}. {told}{row['description']}\n\n| field | type | |\n| --- | --- | --- |\n"
                     + "".join(_fields(row, "")))
    return "\n".join(parts)


def _fields(schema: dict[str, Any], lead: str) -> list[str]:
    """A line for each field of an object, and of the objects in it."""
    found = []
    for name, one in schema.get("properties", {}).items():
        kind = one.get("type", "integer")
        shown = " or ".join(kind) if isinstance(kind, list) else kind
        words = f": {', '.join(one['enum'])}" if "enum" in one else ""
        maybe = "" if name in schema.get("required", ()) else "; not always there"
        found.append(f"| `{lead}{name}` | {shown} | {one.get('description', '')}{words}{maybe} |\n")
        inner, more = (one["items"], "[]") if "items" in one else (one, "")
        if isinstance(inner.get("additionalProperties"), dict):
            inner, more = inner["additionalProperties"], f"{more}.NAME"
        found += _fields(inner, f"{lead}{name}{more}.")
    if isinstance(schema.get("additionalProperties"), dict) and schema.get("properties"):
        found.append(f"| `{lead}NAME` | object | {schema['additionalProperties']['description']} |\n")
        found += _fields(schema["additionalProperties"], f"{lead}NAME.")
    return found


def projects() -> str:
    """The projects that are tried beside plain Compose, and what a user changes in one for lading."""
    import yaml

    told: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tests" / "projects" / "cases.yaml").read_text())
    rows = "".join(f"| [{name}](../tests/projects/{name}) | {case['shape']} | {case.get('needs', 'nothing')} |\n"
                   for name, case in told.items())
    head = (
        "Projects of the shapes that teams have, each a folder of its own. [test_projects](../tests/lab/test_projects.py) brings each up\n"
        "with plain `docker compose up -d` on one host and with `lading deploy` on another, and compares what `docker inspect` says of\n"
        "every container, network and volume: at the first deployment, after an upgrade, after a rollback. A second deployment says\n"
        "`unchanged`, an upgrade recreates the containers that plain Compose recreates, and `remove` leaves what `docker compose down`\n"
        "leaves. A few are tried with `make test`, all with `make corpus`.\n\n"
        "What differs by design and is not compared: ids, times and addresses that the engine chooses; lading's own labels and the\n"
        "label with Compose's hash, which is of the file with them; the label with a service's dependencies, of which Compose names\n"
        "those that it brings up at the same time; where the project's files lie (their content is compared, not their modes and\n"
        "owners, which lading sets); the digest that lading adds to an image's name. One-shots that have ended are not run again by a\n"
        "rollback, so they stay the newer version's.\n")
    return f"{NOTE}# Projects beside plain Compose\n\n{head}\n| project | shape | what lading needs besides |\n| --- | --- | --- |\n{rows}"


def main() -> int:
    """Write all documents, or with --check say which are out of step."""
    os.environ.pop("COLUMNS", None)
    pages = {"ARCHITECTURE.md": architecture(), "docs/reference/cli.md": cli(), "docs/reference/settings.md": settings(),
             "docs/reference/rights.md": rights(), "docs/reference/errors.md": errors(), "docs/compose.md": compose(), "docs/reference/events.md": events(),
             "docs/projects.md": projects(), "docs/reference/json.md": documents()}
    stale = [name for name, text in pages.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != text]
    if "--check" in sys.argv:
        for name in stale:
            print(f"{name} is out of step: make docs", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_text(pages[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
