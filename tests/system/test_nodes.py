# SPDX-License-Identifier: GPL-2.0-or-later
"""READ, WRITE, MKDIR and RM: what they create, change, leave alone and refuse.

spec: protocol.md sections 5, 6 and 8.
"""

import pytest

from tests.lib.xswire import Type, strings


def test_initial_tree(client):
    assert client.ls("/") == ["tool"]
    assert client.ls("/tool") == ["xenstored"]
    assert client.ls("/tool/xenstored") == []
    for path in ("/", "/tool", "/tool/xenstored"):
        assert client.read(path) == b""
        assert client.get_perms(path) == ["n0"]
    assert client.get_perms("@introduceDomain") == ["n0"]
    assert client.get_perms("@releaseDomain") == ["n0", "r32757"]


def test_write_creates_missing_ancestors_empty(client):
    client.write("/a/b/c", b"value")
    assert client.read("/a/b/c") == b"value"
    assert client.read("/a/b") == b""
    assert client.read("/a") == b""
    assert client.ls("/a") == ["b"]
    assert client.ls("/a/b") == ["c"]


def test_new_nodes_inherit_the_permissions_of_the_nearest_ancestor(client):
    client.mkdir("/a")
    client.set_perms("/a", ["b0", "r32757", "w0"])
    client.write("/a/b/c", b"")
    client.mkdir("/a/m/n")
    for path in ("/a/b", "/a/b/c", "/a/m", "/a/m/n"):
        assert client.get_perms(path) == ["b0", "r32757", "w0"]
    # Inherited once, at creation.
    client.set_perms("/a", ["n0"])
    assert client.get_perms("/a/b") == ["b0", "r32757", "w0"]


@pytest.mark.parametrize("value", [b"", b"\0", b"a\0b\0", b"\0" * 100, bytes(range(256)), b"\xff" * 2049])
def test_values_are_any_bytes(client, value):
    client.write("/v", value)
    assert client.read("/v") == value
    tx = client.transaction_start()
    assert client.read("/v", tx) == value
    client.write("/w", value, tx)
    client.transaction_end(tx)
    assert client.read("/w") == value


def test_overwriting_keeps_children_and_permissions(client):
    client.write("/a/b", b"1")
    client.set_perms("/a", ["r0"])
    client.write("/a", b"new")
    client.write("/a", b"")
    assert client.ls("/a") == ["b"]
    assert client.get_perms("/a") == ["r0"]
    assert client.read("/a/b") == b"1"


def test_mkdir_of_an_existing_node_changes_nothing(client, other):
    client.write("/a", b"value")
    generation = client.directory_part("/a")[0]
    other.watch("/a", "t")
    client.mkdir("/a")
    assert client.read("/a") == b"value"
    assert client.directory_part("/a")[0] == generation
    assert other.drain_events() == []


def test_write_of_the_same_value_is_a_change(client, other):
    client.write("/a", b"value")
    generation = client.directory_part("/a")[0]
    other.watch("/a", "t")
    client.write("/a", b"value")
    assert client.directory_part("/a")[0] != generation
    assert other.drain_events() == [("/a", "t")]


@pytest.mark.parametrize("mtype", [Type.READ, Type.DIRECTORY, Type.GET_PERMS])
def test_missing_nodes_are_enoent(sc, mtype):
    for path in ("/missing", "/missing/deeper", "/tool/missing", "/tool/xenstored/a/b/c"):
        assert sc.error_of(mtype, strings(path)) == "ENOENT"


def test_reading_creates_nothing(client):
    for mtype in (Type.READ, Type.DIRECTORY, Type.GET_PERMS, Type.RM):
        client.exchange(mtype, strings("/a/b"))
    assert client.ls("/") == ["tool"]


def test_rm_removes_the_subtree(client):
    for path in ("/a/b/c", "/a/b/d", "/a/e", "/f"):
        client.write(path, b"x")
    client.rm("/a/b")
    assert client.ls("/a") == ["e"]
    for path in ("/a/b", "/a/b/c", "/a/b/d"):
        assert not client.exists(path)
    client.rm("/a")
    assert client.ls("/") == ["tool", "f"]


def test_rm_of_a_missing_node(client):
    client.mkdir("/a")
    client.rm("/a/missing")
    client.rm("/missing")
    assert client.error_of(Type.RM, strings("/a/missing/deeper")) == "ENOENT"
    assert client.error_of(Type.RM, strings("/missing/deeper")) == "ENOENT"


def test_rm_of_a_missing_node_is_silent(client, other):
    client.mkdir("/a")
    generation = client.directory_part("/a")[0]
    other.watch("/", "t")
    client.rm("/a/missing")
    assert other.drain_events() == []
    assert client.directory_part("/a")[0] == generation


def test_a_recreated_node_starts_anew(client):
    client.write("/a/b", b"old")
    client.set_perms("/a/b", ["b0"])
    client.rm("/a/b")
    client.mkdir("/a/b")
    assert client.read("/a/b") == b""
    assert client.get_perms("/a/b") == ["n0"]


def test_rm_with_trailing_strings_is_einval(client):
    client.write("/a", b"x")
    assert client.error_of(Type.RM, b"/a\0\0") == "EINVAL"
    assert client.error_of(Type.RM, b"/a\0/b\0") == "EINVAL"
    assert client.error_of(Type.RM, b"/a\0x") == "EINVAL"
    assert client.read("/a") == b"x"


@pytest.mark.parametrize("mtype", [Type.READ, Type.DIRECTORY, Type.GET_PERMS, Type.MKDIR, Type.RM])
def test_exactly_one_argument(sc, mtype):
    for payload in (b"", b"/tool", b"/tool\0\0", b"/tool\0x", b"/tool\0x\0", b"\0/tool\0"):
        assert sc.error_of(mtype, payload) == "EINVAL", payload


def test_write_needs_a_nul_behind_the_path(sc):
    assert sc.error_of(Type.WRITE, b"/tool") == "EINVAL"
    assert sc.error_of(Type.WRITE, b"") == "EINVAL"
    assert sc.error_of(Type.WRITE, b"\0") == "EINVAL"


def test_everything_is_shared_between_connections(client, other):
    client.write("/a", b"1")
    assert other.read("/a") == b"1"
    other.rm("/a")
    assert not client.exists("/a")


def test_the_store_survives_its_clients(daemon):
    with daemon.connect() as first:
        first.write("/a/b", b"stays")
    with daemon.connect() as second:
        assert second.read("/a/b") == b"stays"


def test_many_nodes(client):
    count = 20000
    client.pipeline_ok(
        (Type.WRITE, strings(f"/many/{n % 100}/{n}") + b"value %d" % n) for n in range(count)
    )
    assert client.ls("/many") == [str(n) for n in range(100)]
    replies = client.pipeline_ok(
        (Type.READ, strings(f"/many/{n % 100}/{n}")) for n in range(count)
    )
    assert all(r.payload == b"value %d" % n for n, r in enumerate(replies))
    assert client.control("check") == "OK"
    client.rm("/many")
    assert client.ls("/") == ["tool"]


def test_large_values_in_number(client):
    value = b"z" * 4000
    client.pipeline_ok((Type.WRITE, strings(f"/big/{n}") + value) for n in range(1000))
    assert all(client.read(f"/big/{n}") == value for n in range(0, 1000, 97))
    client.rm("/big")


def test_removal_and_creation_in_turns(client):
    for n in range(200):
        client.write("/t/a/b", b"%d" % n)
        client.rm("/t/a" if n % 2 else "/t")
    assert client.error_of(Type.READ, strings("/t/a")) == "ENOENT"
    assert client.control("check") == "OK"
