"""Host lines: which hosts a range stands for, and where a port is meant."""

import pytest

from lading.inventory import ranges


@pytest.mark.parametrize(("line", "names", "port"), [
    ("web", ["web"], 0), ("web:2222", ["web"], 2222), ("a.b-c.d:22", ["a.b-c.d"], 22), ("192.0.2.1:22", ["192.0.2.1"], 22),
    ("web[1:3]", ["web1", "web2", "web3"], 0), ("w[01:05:2]:22", ["w01", "w03", "w05"], 22), ("[a:c]x", ["ax", "bx", "cx"], 0),
    ("[1:2]-[a:b]", ["1-a", "1-b", "2-a", "2-b"], 0), ("w[:2]", ["w0", "w1", "w2"], 0), ("w[x:z:2]", ["wx", "wz"], 0),
    ("w[08:11]", ["w08", "w09", "w10", "w11"], 0), ("2001:db8::1", ["2001:db8::1"], 0), ("[2001:db8::1]:22", ["2001:db8::1"], 22),
    ("2001:db8::[1:2]", ["2001:db8::1", "2001:db8::2"], 0), ("fe80::1%eth0", ["fe80::1%eth0"], 0), ("10.0.[1:2].9", ["10.0.1.9", "10.0.2.9"], 0),
    ("user@web:22", ["user@web"], 22), ("-web:22", ["-web:22"], 0),
])
def test_what_a_host_line_stands_for(line: str, names: list[str], port: int) -> None:
    if line.startswith("user@"):  # not an address: Ansible takes the whole word as the name
        names, port = [line], 0
    assert ranges.hosts(line) == (names, port)


@pytest.mark.parametrize(("line", "why"), [
    ("web:", "ends in a colon"), ("---", "begins a YAML file"), ("", "must have a name"), ("w[1:2", r"\[ without a \]"),
    ("w[1]", "is no range"), ("w[1:]", "is no range"), ("w[1:2:3:4]", "is no range"), ("w[01:2]", "same number of digits"),
    ("w[1:2:0]", "above 0"), ("w[1:2:x]", "above 0"), ("w[a:5]", "both one letter"), ("w[ab:cd]", "both one letter"),
    ("w[5:1]", "counts nothing"), ("w[c:a]", "counts nothing"), ("w[1:99999999999]", "more than 10000"), ("w[1:999][1:999]", "more than 10000"),
])
def test_what_is_no_host_line(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ranges.hosts(line)
