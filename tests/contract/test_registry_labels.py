"""What an image says of itself: its labels, from its configuration in a registry, over real HTTP (R32)."""

import asyncio
import json

import pytest
from registry_server import CI, Answer, Serve, Server, with_config

from lading import errors
from lading.compose import registry, registry_access


def labelled(server: Server, image: str = "team/app:1.0") -> dict[str, str]:
    name = f"{server.name}/{image}"
    return dict(asyncio.run(registry.labels([name], lambda _: registry_access.Access(CI)))[name])


@pytest.mark.parametrize("index", [True, False])
def test_labels(serve: Serve, index: bool) -> None:  # R32
    server = serve(login="basic")
    with_config(server, json.dumps({"config": {"Labels": {"a": "b"}}}).encode(), index=index)
    assert labelled(server) == {"a": "b"}
    with_config(server, b'{"config": {"Labels": null}}', index=index)
    assert labelled(server) == {}


@pytest.mark.parametrize("config", [b"[]", b"{", b'{"config": {"Labels": 3}}', b'{"config": []}'])
def test_a_configuration_that_cannot_be_read(serve: Serve, config: bytes) -> None:
    server = serve()
    with_config(server, config)
    with pytest.raises(errors.RegistryError, match="a configuration of"):
        labelled(server)


def test_another_configuration_than_was_named(serve: Serve) -> None:
    server = serve()
    with_config(server, b'{"config": {}}')
    path = next(iter(server.special))
    server.special[path] = lambda _: Answer(200, b'{"config": {"Labels": {"a": "forged"}}}')
    with pytest.raises(errors.RegistryError, match="but its content is sha256:"):
        labelled(server)
    server.special[path] = lambda _: Answer(200, endless=True, body=b"x" * 65536)
    with pytest.raises(errors.RegistryError, match="sends more than 4 MiB"):
        labelled(server)
    server.images["team/app:1.0"] = b'{"config": {"digest": "../../else"}}'
    with pytest.raises(errors.RegistryError, match="is no manifest"):
        labelled(server)
