# SPDX-License-Identifier: GPL-2.0-or-later
"""GET_PERMS and SET_PERMS as a privileged client sees them.

Without a hypervisor only domain 0 exists, so another domain can stand in an entry (it is
listed, but stale) and cannot own a node.  spec: protocol.md sections 5 and 8.
"""

import pytest

from tests.lib.xswire import Type, strings

ANY = 32757


@pytest.fixture
def node(client):
    client.write("/node", b"value")
    return client


@pytest.mark.parametrize("letter", "nrwb")
def test_every_letter(node, letter):
    node.set_perms("/node", [letter + "0"])
    assert node.get_perms("/node") == [letter + "0"]


@pytest.mark.parametrize(
    "given,shown",
    [
        ("r0", "r0"),
        ("r00", "r0"),
        ("r0x0", "r0"),
        ("r+7", "r7"),
        ("r 7", "r7"),
        ("r010", "r8"),
        ("r0x10", "r16"),
        ("r0X1f", "r31"),
        ("r65535", "r65535"),
        ("r32757", "r32757"),
    ],
)
def test_number_forms(node, given, shown):
    node.set_perms("/node", ["n0", given])
    assert node.get_perms("/node") == ["n0", shown]


@pytest.mark.parametrize("number", ["-1", "65536", "65541", "99999", "-65531", "4294967301", "18446744073709551621"])
def test_a_number_that_is_no_domid_never_becomes_another_domain(node, number):
    # Refused, or kept as it is; but 65541 must not be domain 5 after a cut to 16 bits.
    error = node.error_of(Type.SET_PERMS, strings("/node", "n0", "r" + number))
    if error is None:
        assert node.get_perms("/node") == ["n0", "r" + number]
    else:
        assert error == "EINVAL"
        assert node.get_perms("/node") == ["n0"]
    # As the owner 65536 must not be domain 0.
    assert node.error_of(Type.SET_PERMS, strings("/node", "n" + number)) in ("EINVAL", "ENOENT")


@pytest.mark.parametrize(
    "bad", ["", "n", "0", "x0", "N0", "R1", "rw0", "n0 ", "n0x", "n0xg", "n08", "n1a", "n--1", "n 1 2", "\xff0"]
)
def test_malformed_permissions(node, bad):
    before = node.get_perms("/node")
    for perms in ([bad], ["n0", bad], ["n0", bad, "r0"]):
        assert node.error_of(Type.SET_PERMS, strings("/node", *perms)) == "EINVAL", perms
    assert node.get_perms("/node") == before


def test_too_few_strings(node):
    for payload in (b"", b"/node", b"/node\0", b"/node\0n0", b"\0"):
        assert node.error_of(Type.SET_PERMS, payload) == "EINVAL", payload


def test_unterminated_rest_is_ignored(node):
    node.request(Type.SET_PERMS, b"/node\0r0\0w0")
    assert node.get_perms("/node") == ["r0"]


def test_owner_that_does_not_exist_is_enoent(node):
    for perms in (["n5"], ["n5", "r0"], ["b32751"]):
        assert node.error_of(Type.SET_PERMS, strings("/node", *perms)) == "ENOENT"
    assert node.get_perms("/node") == ["n0"]


def test_order_of_checks(node):
    # Permissions are parsed before the owner is looked up, the owner before the path is judged.
    assert node.error_of(Type.SET_PERMS, strings("/bad//path", "n5")) == "ENOENT"
    assert node.error_of(Type.SET_PERMS, strings("/bad//path", "x5")) == "EINVAL"
    assert node.error_of(Type.SET_PERMS, strings("/bad//path", "n0")) == "EINVAL"
    assert node.error_of(Type.SET_PERMS, strings("/missing", "n0")) == "ENOENT"


def test_entries_for_unknown_domains_are_listed(node):
    perms = ["n0", "r5", "b77", "w32751", "n5"]
    node.set_perms("/node", perms)
    assert node.get_perms("/node") == perms
    node.write("/node/child", b"")
    assert node.get_perms("/node/child") == perms
    node.write("/node", b"again")
    assert node.get_perms("/node") == perms


def test_a_long_list(node):
    # A privileged client has no quota of permissions; 1,000 of 4 bytes fit.
    perms = ["n0"] + [f"r{n}" for n in range(10, 100)] * 10
    node.set_perms("/node", perms)
    assert node.get_perms("/node") == perms


def test_d3_domid_any_from_a_socket(node):
    for perms in (["n0", f"r{ANY}"], ["b0", f"n{ANY}", "r0"]):
        node.set_perms("/node", perms)
        assert node.get_perms("/node") == perms
    tx = node.transaction_start()
    node.set_perms("/node", ["n0", f"w{ANY}"], tx)
    node.transaction_end(tx)
    assert node.get_perms("/node") == ["n0", f"w{ANY}"]
    assert node.read("/node") == b"value"


def test_domid_any_as_the_owner(node, client, other):
    # Everybody's node: never stale for a caller that has the feature.
    for perms in ([f"n{ANY}"], [f"b{ANY}", "r0"]):
        node.set_perms("/node", perms)
        assert node.get_perms("/node") == perms
    other.write("/node/child", b"1")
    assert other.get_perms("/node/child") == [f"b{ANY}", "r0"]
    other.rm("/node")
    assert client.control("check") == "OK"


def test_value_and_children_stay(node):
    node.write("/node/child", b"c")
    node.set_perms("/node", ["r0", "w3"])
    assert node.read("/node") == b"value"
    assert node.ls("/node") == ["child"]
    assert node.get_perms("/node/child") == ["n0"]


def test_set_perms_fires_a_watch(node, other):
    other.watch("/", "root")
    other.watch("/node/child", "below")
    node.set_perms("/node", ["r0"])
    assert other.drain_events() == [("/node", "root")]
    node.set_perms("/node", ["r0"])
    assert other.drain_events() == [("/node", "root")]


def test_set_perms_on_the_root(client):
    client.set_perms("/", ["r0"])
    assert client.get_perms("/") == ["r0"]
    client.mkdir("/new")
    assert client.get_perms("/new") == ["r0"]


@pytest.mark.parametrize("name", ["@introduceDomain", "@releaseDomain"])
def test_special_nodes(client, other, name):
    other.watch(name, "special")
    other.watch("/", "root")
    for perms in (["n0"], ["n0", "r5"], ["r0", f"b{ANY}"]):
        client.set_perms(name, perms)
        assert client.get_perms(name) == perms
        assert other.drain_events() == [(name, "special")]
    tx = client.transaction_start()
    client.set_perms(name, ["w0"], tx)
    assert client.get_perms(name, tx) == ["w0"]
    assert other.get_perms(name) == ["r0", f"b{ANY}"]
    client.transaction_end(tx)
    assert other.get_perms(name) == ["w0"]
    assert client.error_of(Type.SET_PERMS, strings(name, "n5")) == "ENOENT"
    assert client.ls("/") == ["tool"]


def test_d31_unknown_special_names(client):
    for tx in (0, client.transaction_start()):
        for name in ("@foo", "@releaseDomain/3", "@introduceDomain/foo"):
            assert client.error_of(Type.SET_PERMS, strings(name, "n0"), tx) == "ENOENT"
            assert client.error_of(Type.GET_PERMS, strings(name), tx) == "ENOENT"
    client.sync()


def test_permissions_in_a_transaction(client, other):
    client.mkdir("/a")
    tx = client.transaction_start()
    client.set_perms("/a", ["b0"], tx)
    client.mkdir("/a/child", tx)
    assert client.get_perms("/a", tx) == ["b0"]
    assert client.get_perms("/a/child", tx) == ["b0"]
    assert other.get_perms("/a") == ["n0"]
    client.transaction_end(tx, commit=False)
    assert other.get_perms("/a") == ["n0"]


def test_mkdir_and_set_perms_of_the_same_node_in_a_transaction(client, other):
    # What toolstacks do for each directory of a new domain.
    tx = client.transaction_start()
    client.mkdir("/local/domain/9", tx)
    client.set_perms("/local/domain/9", ["n0", "r9"], tx)
    client.mkdir("/local/domain/9/device", tx)
    client.transaction_end(tx)
    assert other.get_perms("/local/domain/9") == ["n0", "r9"]
    assert other.get_perms("/local/domain/9/device") == ["n0", "r9"]
