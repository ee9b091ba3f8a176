"""What `ssh -G` prints, as values: tokens, lists of algorithms, files with spaces."""

import pytest

from lading.transport import openssh

HERE = openssh.Here("/home/me", "/home/account", "me", 1000, "desk.example", {"SSH_AUTH_SOCK": "/agent", "KEYS": "/keys", "MINE": "/mine"})
DEFAULTS = openssh.answer("kexalgorithms a,b,c\nciphers x,y\nhostkeyalgorithms e,r")
LEAST = "hostname h.example\nuser root\nport 23\n"


def read(text: str, *there: str) -> openssh.Configured:
    return openssh.configured("web1", openssh.answer(LEAST + text), DEFAULTS, HERE, lambda path: path in there)


def test_what_is_said() -> None:
    said = read("proxycommand nc %h %p\naddressfamily inet\nbindaddress ::1\nconnecttimeout none\nserveraliveinterval 9\n"
                "serveralivecountmax 4\nidentitiesonly yes\npubkeyauthentication unbound\nhostkeyalias al\npkcs11provider /lib")
    assert said == openssh.Configured(
        "h.example", "root", 23, "inet", "::1", identities_only=True, agent="/agent", proxy_command="nc %h %p", keepalive=9,
        keepalive_count=4, host_key_alias="al", pkcs11="/lib")
    assert read("pubkeyauthentication no").by_key is False
    assert openssh.configured("web1", {}, {}, HERE, bool).port == 22


@pytest.mark.parametrize(("written", "path"), [
    ("~/k", "/home/me/k"), ("~", "/home/me"), ("~other/k", "~other/k"), ("/%h/%n/%r/%p/%u/%i/%%", "/h.example/web1/root/23/me/1000/%"),
    ("%d/%l/%L/%k/%j", "/home/me/desk.example/desk/web1/"), ("${KEYS}/%z", "/keys/%z"), ("${NONE}/k", "${NONE}/k"),
])
def test_paths_of_keys(written: str, path: str) -> None:
    assert read(f"identityfile {written}\nidentityfile none").identity_files == (path,)
    assert read(f"certificatefile {written}").certificate_files == (path,)


@pytest.mark.parametrize(("value", "agent"), [
    ("none", ""), ("SSH_AUTH_SOCK", "/agent"), ("$MINE", "/mine"), ("$NONE", ""), ("~/a", "/home/me/a")])
def test_agents(value: str, agent: str) -> None:
    assert read(f"identityagent {value}").agent == agent


def test_a_jump_comes_before_a_command() -> None:
    said = read("proxyjump %r@gate\nproxycommand nc")
    assert (said.jump, said.proxy_command) == ("root@gate", "")


def test_known_hosts() -> None:
    files = "userknownhostsfile /home/account/.ssh/known_hosts /a b /c\nglobalknownhostsfile none"
    assert read(files, "/a b").known_hosts == ("/home/me/.ssh/known_hosts", "/a b", "/c")


@pytest.mark.parametrize(("wanted", "change"), [
    ("", ""), ("a,b,c", ""), ("a,b,c,d", "+d"), ("a,c", "-b"), ("c,a,b", "^c"), ("d,a,b,c", "^d"), ("c,d", "c,d")])
def test_lists_as_changes(wanted: str, change: str) -> None:
    assert openssh.change(wanted, "a,b,c") == change


def test_a_shorter_list_stays_one_but_for_host_keys() -> None:
    assert read("kexalgorithms a,b\nciphers x,y\nhostkeyalgorithms e").algorithms == {"KexAlgorithms": "a,b", "HostKeyAlgorithms": "-r"}
