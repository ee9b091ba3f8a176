"""The promises that no function holds: imports, docstrings, names, no address of this or that machine."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py"]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_point_one_way() -> None:
    done = subprocess.run([Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_calls_itself_pure_is_in_the_contract() -> None:
    stored = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = (c for c in stored["tool"]["importlinter"]["contracts"] if c["name"] == "Deciding is pure")
    found = {
        "lading." + ".".join(path.relative_to(ROOT / "src" / "lading").with_suffix("").parts)
        for path in python_files() if "src" in path.parts
        and (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0].endswith("(pure).")
    }
    named = tuple(contract["source_modules"])
    assert {module for module in found if not (module in named or module.rpartition(".")[0] in named)} == set()
    assert {name for name in named if not any(module == name or module.startswith(name + ".") for module in found)} == set()


def names_its_own(node: ast.stmt, path: Path) -> bool:
    """Whether a statement of a package's `__init__.py` is `from lading.PACKAGE.MODULE import NAME as NAME`."""
    package = f"lading.{path.parent.name}."
    return (isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package)
            and all(one.asname == one.name for one in node.names))


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module says what it is"
    assert path.stem not in ("utils", "helpers", "managers", "common")
    if path.name == "__init__.py":
        assert all(names_its_own(node, path) for node in tree.body[1:]), "a package does nothing; it may name what is in it"


def test_one_door_to_the_terminal() -> None:
    """`cli/terminal.py` prints and asks; `cli/render.py` makes the console, whose texts are made by its `cell`.

    `transport/ansible_program.py` and `fence.py` are programs of their own, whose output lading reads.
    """
    own_programs = ("transport/ansible_program.py", "lading/fence.py")
    found = []
    for path in python_files():
        if "src" not in path.parts or any(map(path.match, ("cli/terminal.py", *own_programs))):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in ("print", "input", "Console", "Text") or re.match(r"click\.(s?echo|confirm|prompt|style|pause|edit)|sys\.std\w+\.write", called):
                found.append((path.name, called))
    assert sorted(set(found)) == [("render.py", "Console"), ("render.py", "Text")]


def imported(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def test_only_the_tests_and_the_documents_know_the_command_line() -> None:
    """The bench and the chaos matrix drive lading through `bootstrap.py`, as a server does."""
    found = [path.name for path in python_files() if {"bench", "chaos"} & {*path.relative_to(ROOT).parts[:1]}
             and any(name.startswith("lading.cli") for name in imported(path))]
    assert found == []


def source_files() -> Iterator[tuple[str, str]]:
    """Each module of lading by its path, with its text."""
    for path in python_files():
        if path.is_relative_to(ROOT / "src"):
            yield path.relative_to(ROOT / "src" / "lading").as_posix(), path.read_text()


def test_transports_and_ledgers_are_built_in_one_place() -> None:
    """But for what Tab offers, which opens the user's own file alone and needs nothing else of what a verb is given."""
    built = re.compile(r"\b(?:SshTransport|AnsibleTransport|RoutedTransport|TellingTransport|ledgers?\.open_(?:ledger|for_questions))\(")
    assert sorted(name for name, text in source_files() if built.search(text)) == [
        "bootstrap.py", "cli/completing.py", "connecting.py"]


def test_the_caller_s_environment_comes_in_at_the_door() -> None:
    """`cli/` hands it to `bootstrap.py`; `transport/ansible_program.py` is a program of its own."""
    found = [name for name, text in source_files()
             if not name.startswith("cli/") and any("environ" in ast.unparse(node) for node in ast.walk(ast.parse(text))
                                                    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os")]
    assert found == ["transport/ansible_program.py"]


def test_facts_have_tests() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "facts.md").read_text()))
    defined = {node.name for path in python_files() if path.name.startswith("test_") for node in functions(ast.parse(path.read_text()))}
    facts = {node.name for node in functions(ast.parse((ROOT / "tests" / "lab" / "test_facts.py").read_text()))}
    assert named - defined == set()
    assert {name for name in facts if name.startswith("test_")} - named == set()


def test_no_address_of_a_machine() -> None:
    words = ["/wor" + "k/", ".lib" + "rary", '"reso' + 'lved":', "--index" + "-url ", "--find" + "-links", "file" + ":///"]
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked() if path.suffix in ("", ".py", ".md", ".txt", ".toml", ".yml", ".yaml", ".sh", ".json")
        for word in words if word in path.read_text(errors="replace")
    ]
    assert found == []


def test_help_needs_no_heavy_module() -> None:
    code = "import sys; from lading.cli import main; print(*sys.modules)"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}  # which loads modules of its own
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain)
    heavy = {"asyncio", "asyncssh", "rich", "yaml", "httpx2", "sqlite3"}
    assert heavy & set(done.stdout.split()) == set()


def test_what_is_imported_later_is_imported_in_one_way() -> None:
    """Inside a function only under `loading.later()`, beside which the reason stands."""
    found = []
    for name, text in source_files():
        lines, tree = text.split("\n"), ast.parse(text)
        later = [node for node in ast.walk(tree) if isinstance(node, ast.With) and ast.unparse(node.items[0]) == "loading.later()"]
        allowed = {one for node in later for one in node.body}
        found += [f"{name}: {ast.unparse(node)}" for function in functions(tree) for node in ast.walk(function)
                  if isinstance(node, ast.Import | ast.ImportFrom) and node not in allowed]
        found += [f"{name}:{node.lineno}: no reason" for node in later if "  # " not in lines[node.lineno - 1]]
    assert found == [
        "ledger/ledger.py: from lading.ledger import postgres",  # psycopg, which only a team's ledger needs
        "loading.py: import ctypes.util",  # this is that way
    ]
