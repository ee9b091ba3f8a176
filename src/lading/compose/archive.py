"""An image archive, as `docker save` writes it, while it passes: checked to hold the content that is wanted, given one name (pure)."""

import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lading import shape
from lading.compose import reference

BLOCK = tarfile.BLOCKSIZE
END = 2 * BLOCK  # bytes of zeros behind the last entry: without them nobody takes an archive for whole
SMALL = 4 * 1024 * 1024  # bytes of a list of contents, or of a configuration
_LISTS = ("manifest.json", "index.json")
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class Archive:
    """One image on its way. The end of the archive is only given once all of it was checked.

    *id*: the wanted content, `sha256:…`; *name*: how the image is called where it arrives, whatever it is called here.
    """

    def __init__(self, id: str, name: str) -> None:
        self._id, self._name = id, name
        self._rest = bytearray()
        self._entry: _Entry | None = None
        self._is_over = False
        self._sums: dict[str, str] = {}
        self._manifest: Sequence[Mapping[str, Any]] | None = None
        self._index: Mapping[str, Any] = {}

    def feed(self, data: bytes) -> bytes:
        """Take a piece of any size; what of it, and of what came before, goes on.

        Raises:
            ValueError: it is no archive of an image.
        """
        self._rest += data
        return b"".join(self._pieces())

    def end(self) -> tuple[bytes, frozenset[str]]:
        """Nothing more comes: the end of the archive, and by which ids an engine may know the image that it is told of.

        Raises:
            ValueError: it was cut short, or holds something else than what is wanted.
        """
        if not self._is_over:
            raise ValueError("it ended before its end")
        config = self._config()
        ids = {f"sha256:{config}", *self._manifests()}
        if self._id not in ids:
            raise ValueError(f"it holds {', '.join(sorted(ids))}, not {self._id}")
        return bytes(END), frozenset(ids)

    def _config(self) -> str:
        """The digest of the configuration, worked out from what has passed."""
        if self._manifest is None or len(self._manifest) != 1:
            raise ValueError("it holds no image, or several")
        path = self._manifest[0].get("Config")
        found = self._sums.get(path) if isinstance(path, str) else None
        if found is None:
            raise ValueError("it lacks the image's configuration")
        if str(path).rpartition("/")[2].removesuffix(".json") != found:
            raise ValueError(f"its configuration is not {path}, but {found}")
        return found

    def _manifests(self) -> Iterator[str]:
        """The digests of what the OCI index names, as far as it has passed and is what its name says."""
        for one in self._index.get("manifests") or ():
            digest = str(one.get("digest"))
            content = digest.removeprefix("sha256:")
            if self._sums.get(f"blobs/sha256/{content}") == content:
                yield digest

    def _pieces(self) -> Iterator[bytes]:
        while not self._is_over:
            if self._entry is None:
                head = self._take(BLOCK)
                if head is None:
                    return
                if not any(head):
                    self._is_over = True
                    break
                self._entry = _Entry(head)
            content = self._entry.take(self._rest)
            yield from content
            if not self._entry.is_whole:
                return
            yield from self._ended(self._entry)
            self._entry = None
        self._rest.clear()

    def _take(self, size: int) -> bytes | None:
        if len(self._rest) < size:
            return None
        found = bytes(self._rest[:size])
        del self._rest[:size]
        return found

    def _ended(self, entry: "_Entry") -> Iterator[bytes]:
        """An entry has passed: what it was is noted; of a list of contents, that with our name goes on."""
        if entry.is_file and len(self._sums) < 100_000:
            self._sums[entry.name] = entry.sum
        if entry.is_list:
            yield entry.renewed(self._renamed(entry))

    def _renamed(self, entry: "_Entry") -> bytes:
        text = entry.content.decode()
        if entry.name == "manifest.json":
            self._manifest = shape.parse_list(text)
            return _bytes([{**one, "RepoTags": [self._name]} for one in self._manifest])
        self._index = shape.parse(text)
        listed = shape.fitting(self._index.get("manifests") or [], tuple[Mapping[str, Any], ...], "manifests")
        names = dict(zip(_NAMES, (reference.full(self._name), self._name.rpartition(":")[2]), strict=True))
        return _bytes({**self._index, "manifests": [
            {**one, "annotations": {**(one.get("annotations") or {}), **names}} for one in listed]})


class _Entry:
    """One entry of an archive, from its head to its last byte."""

    def __init__(self, head: bytes) -> None:
        try:
            self._info = tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        except tarfile.HeaderError as wrong:
            raise ValueError(f"it is no archive: {wrong}") from wrong
        self._head: bytes | None = head
        self._left = self._info.size
        self._padding = -self._info.size % BLOCK
        self._sum = hashlib.sha256()
        self.content = bytearray()
        """Of a list of contents: all of it."""
        if self.is_list and self._info.size > SMALL:
            raise ValueError(f"its {self.name} has {self._info.size} bytes")

    @property
    def name(self) -> str:
        """Its path in the archive."""
        return self._info.name.removeprefix("./")

    @property
    def is_file(self) -> bool:
        """Whether it is a file: not a folder, a link, or what is said of another entry."""
        return self._info.type in (tarfile.REGTYPE, tarfile.AREGTYPE)

    @property
    def is_list(self) -> bool:
        """Whether it tells which images there are, and how they are called."""
        return self.is_file and self.name in _LISTS

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come."""
        return not self._left and not self._padding

    @property
    def sum(self) -> str:
        """The SHA-256 of its content."""
        return self._sum.hexdigest()

    def take(self, rest: bytearray) -> Iterator[bytes]:
        """Take what belongs to it from the front of *rest*; what goes on as it is."""
        if self._head is not None and not self.is_list:
            yield self._head
        self._head = None
        size = min(self._left, len(rest))
        if size:
            content = bytes(rest[:size])
            del rest[:size]
            self._left -= size
            self._sum.update(content)
            if self.is_list:
                self.content += content
            else:
                yield content
        if not self._left:
            size = min(self._padding, len(rest))
            del rest[:size]
            self._padding -= size
            if size and not self.is_list:
                yield bytes(size)

    def renewed(self, content: bytes) -> bytes:
        """The same entry with another content, whole."""
        self._info.size = len(content)
        return self._info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % BLOCK)


def _bytes(said: Any) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()
