"""What a host's engine is asked of images, by a real shell and pipe, and what it answers."""

import json
import os
from pathlib import Path

import pytest

from host_shell import HostShell
from lading.drivers.shell import resolving
from lading.plan import digests
from lading.transport import command

TAG, OTHER = "inside.example:5000/team/app:1", "inside.example:5000/team/store:2"
DIGEST = "sha256:" + "a" * 64
BY_DIGEST = f"inside.example:5000/team/app@{DIGEST}"
LOGIN = command.Secret(b"bG9naW4=")
# It answers as an engine does: at the end of the question, while the pipe is open; a question whose
# end is closed early it gives up.
ENGINE = """#!/bin/sh
printf '%s\\n' "$*" >>FOLDER/lines
case "$*" in "image inspect HERE") exit 0;; "system dial-stdio") ;; *) exit 1;; esac
while IFS= read -r line; do printf '%s\\n' "$line" >>FOLDER/asked
case $line in GET*) what=$line;; "$CR") break;; esac; done
if read -t 0.1 -r more; [ $? -eq 1 ]; then exit 0; fi
case $what in *team/app*) printf 'HTTP/1.0 200 OK\\r\\nServer: Docker\\r\\n\\r\\n%s\\n' 'ANSWER';;
*) printf 'HTTP/1.0 404 Not Found\\r\\n\\r\\n{"message":"manifest unknown"}';; esac
"""


def answer(*platforms: dict[str, str], digest: str = DIGEST) -> str:
    return json.dumps({"Descriptor": {"digest": digest, "size": 9}, "Platforms": list(platforms)})


def engine(host: HostShell, here: str = "nothing") -> None:
    """The host's docker answers for team/app; *here*: an image that it has."""
    text = (
        ENGINE.replace("FOLDER", str(host.folder))
        .replace("HERE", here)
        .replace("ANSWER", answer({"os": "linux", "architecture": "amd64"}))
    )
    host.program("docker", text.replace("#!/bin/sh", "#!/bin/bash\nCR=$'\\r'"))


def ask(host: HostShell, *questions: resolving.Question) -> dict[str, digests.Resolved]:
    return resolving.answers(questions, host.run(resolving.resolve("M", questions)))


def folders() -> set[str]:
    return {path.name for path in Path("/dev/shm").glob("lading-ask.*")}


def test_each_image_is_asked_of_the_engine_over_a_pipe_that_stays_open(host: HostShell) -> None:
    engine(host)
    before = folders()
    found = ask(
        host,
        resolving.Question(TAG, LOGIN),
        resolving.Question(OTHER),
        resolving.Question(BY_DIGEST),
    )
    assert found == {
        TAG: digests.Resolved(DIGEST, ("linux/amd64",)),
        OTHER: digests.Resolved(lack="manifest unknown"),
        BY_DIGEST: digests.Resolved(DIGEST, ("linux/amd64",)),
    }
    asked = (host.folder / "asked").read_bytes().decode()
    assert asked.count("X-Registry-Auth: bG9naW4=\r\n") == 1
    assert {f"GET /distribution/{name}/json HTTP/1.0\r" for name in (TAG, OTHER, BY_DIGEST)} <= set(
        asked.split("\n")
    )
    assert all("bG9naW4=" not in line for line in host.lines())  # in no argument
    assert folders() <= before


def test_an_image_by_digest_that_is_there_is_not_asked_for(host: HostShell) -> None:
    engine(host, here=BY_DIGEST)
    found = ask(host, resolving.Question(BY_DIGEST, LOGIN), resolving.Question(TAG, LOGIN))
    assert found == {
        BY_DIGEST: digests.Resolved(DIGEST),
        TAG: digests.Resolved(DIGEST, ("linux/amd64",)),
    }
    assert (host.folder / "asked").read_text().count("GET ") == 1


def test_an_engine_that_says_nothing_is_told_in_its_clients_words(host: HostShell) -> None:
    host.docker({})
    assert ask(host, resolving.Question(TAG)) == {TAG: digests.Resolved(lack="no such thing")}


def test_a_host_without_a_folder_for_pipes_says_so(host: HostShell) -> None:
    host.program("mktemp", "#!/bin/sh\nexit 1\n")
    assert ask(host, resolving.Question(TAG))[TAG].lack.startswith("state: no folder for a pipe")


def test_no_login_shows() -> None:
    made = resolving.resolve("M", [resolving.Question(TAG, LOGIN)])
    assert "bG9naW4=" not in made.script + made.masked() + repr(made)
    assert os.fsencode("bG9naW4=") in made.wire()


@pytest.mark.parametrize(
    ("content", "lack"),
    [
        (b"", "its engine gave no answer in 40 s"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n{}", "its engine answered 403"),
        (b"HTTP/1.1 404 Not Found\r\n\r\npage not found", "its engine's answer cannot be read"),
        (b"HTTP/1.0 200 OK\r\n\r\n{}", "its engine's answer cannot be read"),
        (
            b"HTTP/1.0 200 OK\r\n\r\n" + answer(digest="sha256:$(id)").encode(),
            "there is no digest in it",
        ),
        (
            b"HTTP/1.0 200 OK\r\n\r\n" + answer({"os": "\x1b[2J"}).encode(),
            "a platform with control characters",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\n[" + b"[" * 100_000, "its engine's answer cannot be read"),
    ],
)
def test_answers_that_are_none(content: bytes, lack: str) -> None:
    found = resolving.answers([resolving.Question(TAG)], command.Result(0, {"answer0": content}))[
        TAG
    ]
    assert (found.digest, lack in found.lack, len(found.lack) <= 300) == ("", True, True)


def test_another_digest_than_was_asked_for_is_none() -> None:
    content = b"HTTP/1.0 200 OK\r\n\r\n" + answer(digest="sha256:" + "b" * 64).encode()
    found = resolving.answers(
        [resolving.Question(BY_DIGEST)], command.Result(0, {"answer0": content})
    )
    assert "another digest" in found[BY_DIGEST].lack


def test_that_a_tag_is_there_already_is_no_answer() -> None:
    assert not resolving.answers([resolving.Question(TAG)], command.Result(0, {"here0": b""}))[
        TAG
    ].digest


def test_platforms_in_dockers_words_without_attestations() -> None:
    said = [
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
        {"os": "linux", "architecture": "amd64", "os.version": "1"},
        {"os": "unknown", "architecture": "unknown"},
        {},
    ]
    content = b"HTTP/1.0 200 OK\r\n\r\n" + answer(*said).encode()
    found = resolving.answers([resolving.Question(TAG)], command.Result(0, {"answer0": content}))[
        TAG
    ]
    assert found == digests.Resolved(DIGEST, ("linux/amd64", "linux/arm64/v8"))
