"""Archives of images as `docker save` writes them, by Docker 25 and later or before."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONFIG = {"architecture": "amd64", "os": "linux", "config": {"Labels": {"a": "b"}}}


def digest(content: bytes) -> str:
    """As an engine writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Saved:
    """An archive, and by which ids an engine may know its image."""

    content: bytes
    config: str
    manifest: str = ""


def saved(*layers: bytes, more: Mapping[str, bytes] | None = None, without: str = "", end: int = 1024, **lists: Any) -> Saved:
    """One of Docker 28; *more*: files in place of those that there are, or beside them; *without*: one that is missing."""
    config = json.dumps(CONFIG).encode()
    blobs = {_blob(one): one for one in (config, *layers)}
    manifest = json.dumps({"config": {"digest": digest(config)}, "layers": [{"digest": digest(one)} for one in layers]}).encode()
    listed = [{"Config": _blob(config), "RepoTags": ["shop:old"], "Layers": [_blob(one) for one in layers]}]
    index = {"schemaVersion": 2, "manifests": [{"digest": digest(manifest), "annotations": {"a": "b"}}]}
    files = {
        **blobs, _blob(manifest): manifest, "index.json": json.dumps(lists.get("index", index)).encode(),
        "manifest.json": json.dumps(lists.get("manifest", listed)).encode(), "oci-layout": b"{}", **(more or {}),
    }
    files.pop(without, None)
    return Saved(tar(files) + bytes(end), digest(config), digest(manifest))


def old(*layers: bytes) -> Saved:
    """One of Docker 20 to 24."""
    config = json.dumps(CONFIG).encode()
    name = f"{digest(config).removeprefix('sha256:')}.json"
    files = {f"{number}/layer.tar": one for number, one in enumerate(layers)} | {name: config}
    files["manifest.json"] = json.dumps([{"Config": name, "RepoTags": None, "Layers": list(files)[:-1]}]).encode()
    return Saved(tar(files) + bytes(1024), digest(config))


def _blob(content: bytes) -> str:
    return f"blobs/sha256/{digest(content).removeprefix('sha256:')}"


def tar(files: Mapping[str, bytes]) -> bytes:
    """The entries, without the end."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        folder = tarfile.TarInfo("blobs/")
        folder.type = tarfile.DIRTYPE
        made.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
        size = made.offset
    return out.getvalue()[:size]


def files(content: bytes) -> dict[str, bytes]:
    """What is in an archive that has its end."""
    assert content.endswith(bytes(1024))
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        found = {one.name: opened.extractfile(one) for one in opened.getmembers() if one.isfile()}
        return {name: one.read() for name, one in found.items() if one is not None}
