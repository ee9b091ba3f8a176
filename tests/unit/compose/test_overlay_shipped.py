"""What an overlay ships is read back from its own text, whatever else stands in it."""

from lading.compose import overlay

ID = "a" * 64


def test_mounts_and_configs_are_read_back() -> None:
    text = overlay.write({
        "services": {
            'we"b': {"image": "r/web:1", "build": overlay.RESET, "env_file": overlay.Override([{"path": "x"}]), "volumes": [
                {"type": "bind", "source": f"{overlay.OBJECTS}{ID}", "target": "/a$$b", "read_only": True},
                {"type": "bind", "source": "${LADING_DIR}/project/data", "target": "/data"}]},
            "off": {"image": "r/off:1"},
        },
        "configs": {"conf": {"file": f"{overlay.OBJECTS}{ID}"}, "else": {"file": "/etc/x"}},
    })
    assert overlay.shipped(text) == overlay.Shipped({'we"b': {"/a$b": ID}}, {"conf": ID}, {'we"b': {"/data": "data"}})


def test_an_object_that_one_service_may_write_is_writable() -> None:
    def mounted(**more: object) -> dict[str, object]:
        return {"volumes": [{"type": "bind", "source": f"{overlay.OBJECTS}{ID}", "target": "/a", **more}]}
    both = {"web": mounted(read_only=True), "writer": mounted()}
    assert overlay.shipped(overlay.write({"services": both})).writable == {ID}
    assert overlay.shipped(overlay.write({"services": {"web": both["web"]}})).writable == frozenset()


def test_a_line_that_lading_did_not_write_says_nothing() -> None:
    text = "services:\n  web:\n    volumes:\n      - {broken\n      - 7\nconfigs:\n  conf:\n    file: {broken\n"
    assert overlay.shipped(text) == overlay.Shipped({}, {})
