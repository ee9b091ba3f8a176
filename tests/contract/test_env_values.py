"""The values of an env_file, which are hidden in what programs say, are those that Compose gives a container."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from env_file import ENV
from lading.compose import variables

pytestmark = pytest.mark.contract
GIVEN = {"GREETING": "hello", "P": "hunter2hunter2", "A": "the project's"}


def test_as_compose_reads_it(tmp_path: Path) -> None:
    text = ENV + "A=own\nB=$A\n"
    (tmp_path / "x.env").write_text(text)
    model = b"services: {x: {image: x, env_file: [x.env]}}"
    argv = ["docker", "compose", "--project-directory", str(tmp_path), "-f", "-", "config", "--format", "json"]
    done = subprocess.run(argv, input=model, env={"PATH": os.environ["PATH"], **GIVEN}, capture_output=True, check=True)
    read = json.loads(done.stdout)["services"]["x"]["environment"]
    values = [one.replace("$$", "$") for key, one in read.items() if key != "BARE"]
    assert sorted(values) == sorted(variables.assigned(text, GIVEN))
