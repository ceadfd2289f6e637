# SPDX-License-Identifier: GPL-2.0-or-later
"""Which paths are valid, what a relative one means, and that depth is no danger.

spec: protocol.md section 4.
"""

import string

import pytest

from tests.lib.xswire import Type, message, strings

LEGAL = string.ascii_letters + string.digits + "-/_@"

# What each request type needs behind the path, and whether it takes special names.
REQUESTS = {
    Type.READ: (b"", False),
    Type.DIRECTORY: (b"", False),
    Type.DIRECTORY_PART: (b"0\0", False),
    Type.GET_PERMS: (b"", True),
    Type.SET_PERMS: (b"n0\0", True),
    Type.WRITE: (b"value", False),
    Type.MKDIR: (b"", False),
    Type.RM: (b"", False),
    Type.WATCH: (b"token\0", True),
    Type.UNWATCH: (b"token\0", True),
}

INVALID = [
    "",
    "//",
    "//a",
    "/a//b",
    "/a/",
    "/a/b//",
    "a/",
    "a//b",
    "/a b",
    "/a.b",
    "/a:b",
    "/a\\b",
    "/a*",
    "/a\tb",
    "/a\nb",
    "/\x01",
    "/\x7f",
    "/\x80",
    "/\xff",
    "/caf\xe9",
    "/a,b",
    "/a+b",
    "/a~",
    "/local/domain/",
    "/local/domain/0/",
    "/local/domain//0",
]


def all_requests(path):
    for mtype, (rest, special) in REQUESTS.items():
        yield mtype, strings(path) + rest, special


@pytest.mark.parametrize("path", INVALID)
def test_invalid_paths_in_every_request(sc, path):
    for mtype, payload, _ in all_requests(path):
        assert sc.error_of(mtype, payload) == "EINVAL", mtype.name
    sc.sync()


def test_xsa_481_in_every_request(sc):
    """`/local/domain/` once was answered with nothing at all."""
    for tx in (0, sc.transaction_start()):
        for mtype, payload, _ in all_requests("/local/domain/"):
            reply = sc.exchange(mtype, payload, tx)
            assert reply.error == "EINVAL", mtype.name


def test_every_byte_is_judged(sc):
    for code in range(1, 256):
        char = chr(code)
        expected = "ENOENT" if char in LEGAL and char != "/" else "EINVAL"
        assert sc.error_of(Type.READ, strings("/no" + char + "where")) == (
            "ENOENT" if char == "/" else expected
        ), repr(char)


def test_every_legal_byte_in_a_name(client):
    name = LEGAL.replace("/", "")
    client.write("/" + name, b"v")
    assert client.ls("/")[-1] == name
    assert client.read("/" + name) == b"v"


@pytest.mark.parametrize("path", ["@", "@foo", "@releaseDomain", "@releaseDomain/1", "@introduceDomain"])
def test_special_names_are_refused_where_not_allowed(sc, path):
    for mtype, payload, special in all_requests(path):
        if not special:
            assert sc.error_of(mtype, payload) == "EINVAL", mtype.name


@pytest.mark.parametrize("path", ["@/", "@foo/", "@foo//bar", "@foo bar", "@foo.bar", "@releaseDomain/"])
def test_malformed_special_names(sc, path):
    for mtype, payload, _ in all_requests(path):
        assert sc.error_of(mtype, payload) == "EINVAL", mtype.name


def test_any_legal_special_name_can_be_watched(client):
    for name in ("@foo", "@foo/bar", "@releaseDomain", "@introduceDomain/3", "@a@b"):
        client.watch(name, "t")
        client.unwatch(name, "t")


def test_unknown_special_name_is_enoent(sc):
    # D31: in a transaction this once ended the daemon.
    for tx in (0, sc.transaction_start()):
        assert sc.error_of(Type.GET_PERMS, strings("@foo"), tx) == "ENOENT"
        assert sc.error_of(Type.GET_PERMS, strings("@foo/bar"), tx) == "ENOENT"
        assert sc.error_of(Type.SET_PERMS, strings("@foo", "n0"), tx) == "ENOENT"


def test_at_sign_inside_a_path(client):
    client.write("/a@b/@c", b"v")
    assert client.read("/a@b/@c") == b"v"
    assert client.ls("/a@b") == ["@c"]


def test_the_root(client):
    assert client.read("/") == b""
    client.write("/", b"root")
    assert client.read("/") == b"root"
    client.mkdir("/")
    assert client.read("/") == b"root"
    assert client.error_of(Type.RM, b"/\0") == "EINVAL"
    assert client.read("/") == b"root"


def test_relative_paths_are_below_the_own_domain(client):
    client.write("rel/node", b"v")
    assert client.read("/local/domain/0/rel/node") == b"v"
    assert client.read("rel/node") == b"v"
    assert client.ls("rel") == ["node"]
    assert client.ls_parts("rel") == ["node"]
    assert client.get_perms("rel/node") == ["n0"]
    client.set_perms("rel/node", ["r0"])
    assert client.get_perms("/local/domain/0/rel/node") == ["r0"]
    client.mkdir("dir")
    assert client.ls("/local/domain/0") == ["rel", "dir"]
    client.rm("rel")
    assert not client.exists("/local/domain/0/rel/node")


def test_relative_path_in_a_transaction(client):
    tx = client.transaction_start()
    client.write("rel", b"v", tx)
    assert client.read("/local/domain/0/rel", tx) == b"v"
    client.transaction_end(tx)
    assert client.read("rel") == b"v"


def test_relative_path_up_to_the_payload(client):
    # XSA-323: a relative path must be readable by its absolute name and the other way.
    name = "r" * (2047 - len("/local/domain/0/"))
    client.write(name, b"v")
    assert client.read("/local/domain/0/" + name) == b"v"
    name = "s" * 2048
    client.write(name, b"w")
    assert client.read("/local/domain/0/" + name) == b"w"


@pytest.mark.parametrize("length", [1023, 2047, 2048, 2049, 3071, 3072, 3073, 4000, 4095])
def test_long_paths_are_limited_by_the_payload_only(client, length):
    path = "/" + "x" * (length - 1)
    client.mkdir(path)
    assert client.read(path) == b""
    assert client.get_perms(path) == ["n0"]
    assert client.ls(path) == []
    client.rm(path)
    assert not client.exists(path)


DEEP = "/d" * 1000


def test_xsa_418_a_thousand_levels_in_every_operation(client, other):
    other.watch("/d", "top")
    other.watch(DEEP, "bottom")
    client.write(DEEP, b"deep")
    assert other.drain_events() == [(DEEP, "top"), (DEEP, "bottom")]
    assert client.read(DEEP) == b"deep"
    assert client.ls(DEEP[:-2]) == ["d"]
    assert client.ls(DEEP) == []
    assert client.ls_parts(DEEP[:-2]) == ["d"]
    client.set_perms(DEEP, ["b0"])
    assert client.get_perms(DEEP) == ["b0"]
    assert client.get_perms(DEEP[:-2]) == ["n0"]
    client.mkdir(DEEP + "/e")
    assert client.read(DEEP + "/e") == b""
    assert not client.exists(DEEP + "/e/f")
    client.control("check")
    other.drain_events()
    client.rm("/d")
    assert other.drain_events() == [(DEEP, "bottom"), ("/d", "top")]
    assert not client.exists("/d")
    assert client.error_of(Type.RM, strings(DEEP)) == "ENOENT"


def test_xsa_418_a_thousand_levels_in_a_transaction(client, other):
    tx = client.transaction_start()
    client.write(DEEP, b"deep", tx)
    assert client.read(DEEP, tx) == b"deep"
    client.transaction_end(tx)
    assert other.read(DEEP) == b"deep"
    tx = client.transaction_start()
    client.mkdir(DEEP + DEEP, tx)
    client.set_perms(DEEP, ["r0"], tx)
    client.rm("/d", tx)
    assert not client.exists("/d", tx)
    assert other.read(DEEP) == b"deep"
    client.transaction_end(tx, commit=False)
    assert other.read(DEEP) == b"deep"
    tx = client.transaction_start()
    client.rm("/d", tx)
    client.transaction_end(tx)
    assert not other.exists("/d")


def test_the_deepest_path_that_fits(client):
    depth = 2047
    path = "/d" * depth
    assert len(message(Type.WRITE, strings(path))) <= 4112
    client.write(path, b"")
    client.watch("/", "root")
    client.rm("/d")
    assert client.drain_events() == [("/d", "root")]
    assert client.ls("/") == ["tool"]
