"""The OCI image for CI agents: built from nothing but this machine, then a deployment from a container."""

import shutil
import subprocess
from pathlib import Path

from app_client import App
from lab_client import CHECKOUT, Lab


def test_deployment_from_the_image(app: App, lab: Lab, tmp_path: Path) -> None:  # issue 2: meant for CI agents
    subprocess.run([CHECKOUT / "scripts" / "image", tmp_path / "image"], check=True, timeout=280)
    image = lab.build(tmp_path / "image", "registry.lab:5000/lading:test")
    shutil.rmtree(tmp_path / "image")
    work = "/home/ci/work"
    for here, there in ((str(app.folder), "work"), (str(lab.fleet), "fleet"), ("/root/.ssh", "ssh")):
        lab.run("bash", "-c", f"set -o pipefail; tar -C {here} -cf - . | ssh stage1 'mkdir -p ci/{there} && tar -C ci/{there} -xf -'")
    lab.exec("stage1", "mv /home/deploy/ci /home/ci && rm /home/ci/ssh/config && chown -R 4711 /home/ci")
    try:
        line = (f"printf '%s' \"$PASSWORD\" | docker login -u ci --password-stdin registry.lab:5000 >/dev/null 2>&1; "
                f"docker run --rm --user 4711:4711 -e CI=true -e REG_PASSWORD=\"$PASSWORD\" -e LADING_CONFIG=/fleet/lading.yaml --add-host "
                f"registry.lab:10.88.0.1 -v {work}:/work:ro -v /home/ci/fleet:/fleet:ro -v /home/ci/ssh:/home/lading/.ssh:ro {image} "
                "lading deploy --version 1.0.0 --to web1 --yes --json")
        done = lab.exec("stage1", f"PASSWORD={lab.password}; {line}", check=False, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        assert app.versions() == {("web1", "1.0.0", "healthy")}
        found = "ps -A -o pid,command e | grep -q [J]ENKINS_SERVER_COOKIE=durable-1 && /bin/kill -l && flock --version && python3 -c 1"
        lab.exec("stage1", f"docker run --rm -e JENKINS_SERVER_COOKIE=durable-1 {image} sh -c '{found}'")  # what an abort in Jenkins needs
    finally:
        lab.exec("stage1", f"docker logout registry.lab:5000; docker rmi {image}; rm -rf /home/ci", check=False)
