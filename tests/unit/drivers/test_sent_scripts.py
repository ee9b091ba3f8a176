"""What scripts do with images that were sent: which are there, and which go."""

import pytest

from host_shell import HostShell
from lading.drivers.shell import image_send, scripts
from lading.transport import command

ID = "sha256:" + "1" * 64


def test_which_images_a_host_has(host: HostShell) -> None:
    host.docker({"image inspect*a:1": f"{ID}\n", "image inspect*c:1": ID})
    assert image_send.ids(host.run(image_send.question("M", ["a:1", "b:1", "c:1"]))) == {"a:1": ID, "c:1": ID}


@pytest.mark.parametrize(("tags", "goes"), [
    ("[a:1]", True), ("[a:1 lading-keep/shop/web:ab]", False), ("[lading-keep/other/web:ab a:1]", False), (1, False)])
def test_an_image_goes_with_the_last_release_that_keeps_it(host: HostShell, tags: str | int, goes: bool) -> None:
    host.docker({"image inspect*": tags, "image rm*": ""})
    script = f"{scripts.parts('sent-images', 'each-line')}each_line forget_sent a:1\necho goes on\n"
    done = host.run(command.Command("finish", f"printf '\\nM end\\n'\n{script}", "M"))
    assert done.text("end") == "goes on"
    assert ("image rm a:1" in host.lines()) == goes
