"""Run the unit tests with branch coverage of the pure modules, and fail below 100 %.

Which modules are pure is said once: in pyproject.toml, import-linter's contract "Deciding is pure".
"""

import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
TESTS = ("tests/unit", "tests/test_architecture.py")


def pure_files() -> list[str]:
    """The files of all modules that the purity contract names, relative to the root."""
    stored = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = next(c for c in stored["tool"]["importlinter"]["contracts"] if c["name"] == "Deciding is pure")
    found: list[Path] = []
    for module in contract["source_modules"]:
        path = SOURCE.joinpath(*module.split("."))
        found += sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return [str(path.relative_to(ROOT)) for path in found]


def main(arguments: list[str]) -> int:
    """Tests first (*arguments* go to pytest), then the report; the first exit code that is not 0 counts."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "settings"
        settings.write_text(f"[run]\nbranch = true\nparallel = true\npatch = subprocess\ndata_file = {folder}/data\n"
                            f"include = {','.join(pure_files())}\n[report]\ninclude = {','.join(pure_files())}\n"
                            "exclude_also = case _:\\n +assert_never\n")
        coverage, chosen = [sys.executable, "-m", "coverage"], f"--rcfile={settings}"
        lanes = ["-n", str(min(4, 1 + (os.cpu_count() or 1)))]  # one more than cores: some wait
        steps = ([*coverage, "run", chosen, "-m", "pytest", *lanes, *(arguments or TESTS)], [*coverage, "combine", "-q", chosen],
                 [*coverage, "report", chosen, "--show-missing", "--skip-covered", "--fail-under=100"])
        codes = [subprocess.run(step, cwd=ROOT, check=False).returncode for step in steps]
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
