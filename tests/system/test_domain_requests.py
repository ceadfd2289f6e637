# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests about domains, where no domain but 0 exists: argument errors and answers.

spec: protocol.md section 8, quotas.md section 1.
"""

import pytest

from tests.lib.daemon import Daemon
from tests.lib.xswire import Type, strings

BAD_DOMIDS = ["65536", "4294967296", "99999999999999999999", "-1", "1x", "x", "0x1", "1 ", "1.0"]
QUOTAS = {
    "nodes": 1000,
    "watches": 128,
    "outstanding": 20,
    "memory": 2621440,
    "soft-memory": 2097152,
    "transactions": 10,
    "transaction-nodes": 1024,
    "node-permissions": 5,
    "path-max": 2048,
    "node-size": 2048,
}

WITH_DOMID = {
    Type.INTRODUCE: ["1", "1"],
    Type.RELEASE: [],
    Type.RESUME: [],
    Type.GET_DOMAIN_PATH: [],
    Type.IS_DOMAIN_INTRODUCED: [],
    Type.SET_TARGET: ["0"],
    Type.GET_FEATURE: [],
    Type.SET_FEATURE: ["0"],
    Type.GET_QUOTA: ["nodes"],
    Type.SET_QUOTA: ["nodes", "1"],
}


@pytest.mark.parametrize("mtype", WITH_DOMID)
@pytest.mark.parametrize("domid", BAD_DOMIDS)
def test_malformed_domids(sc, mtype, domid):
    assert sc.error_of(mtype, strings(domid, *WITH_DOMID[mtype])) == "EINVAL"


@pytest.mark.parametrize(
    "mtype", [Type.RELEASE, Type.RESUME, Type.GET_DOMAIN_PATH, Type.IS_DOMAIN_INTRODUCED]
)
def test_exactly_one_argument(sc, mtype):
    for payload in (b"", b"1", b"1\0\0", b"1\0" + b"2\0", b"1\0x"):
        assert sc.error_of(mtype, payload) == "EINVAL", payload


def test_get_domain_path(sc):
    for given, number in (("0", 0), ("1", 1), ("007", 7), ("65535", 65535), ("32752", 32752)):
        assert sc.get_domain_path(given) == f"/local/domain/{number}"


def test_is_domain_introduced(sc):
    assert sc.is_introduced(0)
    assert sc.is_introduced(32752)
    for domid in (1, 5, 32751, 32753, 65535):
        assert not sc.is_introduced(domid)


def test_introduce_arguments(sc):
    for payload in (b"", b"1\0", b"1\0" + b"1\0", b"1\0" + b"1\0" + b"1", b"1\0" + b"1\0" + b"0\0", b"1\0" + b"1\0x\0"):
        assert sc.error_of(Type.INTRODUCE, payload) == "EINVAL", payload
    assert not sc.is_introduced(1)


def test_introduce_of_a_domain_that_does_not_exist(client, other):
    other.watch("@introduceDomain", "i")
    other.watch("@introduceDomain", "d", 1)
    other.watch("@releaseDomain", "r")
    before = client.control("quota", "0")
    for payload in (strings(5, 0, 1), strings(5, "any", 1, "more")):
        assert client.error_of(Type.INTRODUCE, payload)
        assert not client.is_introduced(5)
    assert other.drain_events() == []
    assert client.control("quota", "0").splitlines()[1] == before.splitlines()[1]
    assert client.error_of(Type.CONTROL, strings("quota", 5)) == "ENOENT"
    assert client.error_of(Type.SET_PERMS, strings("/", "n5")) == "ENOENT"


def test_introduce_of_domain_0_does_no_harm(client, other):
    client.write("/a", b"1")
    client.watch("/a", "t")
    client.exchange(Type.INTRODUCE, strings(0, 1, 1))
    other.write("/a", b"2")
    assert client.drain_events() == [("/a", "t")]
    assert client.is_introduced(0)


@pytest.mark.parametrize("mtype", [Type.RELEASE, Type.RESUME])
def test_release_and_resume(client, mtype):
    assert client.error_of(mtype, b"0\0") == "EINVAL"
    for domid in (1, 5, 32751):
        assert client.error_of(mtype, strings(domid)) == "ENOENT"
    assert client.is_introduced(0)
    assert client.read("/tool") == b""


def test_set_target(sc):
    for payload in (b"", b"1\0", b"1\0" + b"2", b"0\0x\0", b"x\0" + b"0\0", b"0\0" + b"65536\0"):
        assert sc.error_of(Type.SET_TARGET, payload) == "EINVAL", payload
    assert sc.error_of(Type.SET_TARGET, strings(5, 6)) == "ENOENT"
    assert sc.error_of(Type.SET_TARGET, strings(5, 0)) == "ENOENT"
    assert sc.error_of(Type.SET_TARGET, strings(5, 0, "more")) == "ENOENT"
    # Domain 0 is there, but has no ring here.
    assert sc.error_of(Type.SET_TARGET, strings(0, 5)) in ("EINVAL", "ENOENT")


def test_get_feature(sc):
    assert sc.get_feature() == 14
    assert sc.request(Type.GET_FEATURE, b"no nul").payload == b"14\0"
    assert sc.get_feature(0) == 14
    assert sc.error_of(Type.GET_FEATURE, strings(5)) == "ENOENT"
    assert sc.error_of(Type.GET_FEATURE, strings(0, 0)) == "EINVAL"
    assert sc.error_of(Type.GET_FEATURE, strings(5, 0)) == "EINVAL"


def test_set_feature(sc):
    for payload in (b"", b"0\0", b"0\0" + b"2", b"0\0" + b"2\0" + b"2\0", b"0\0x\0y\0"):
        assert sc.error_of(Type.SET_FEATURE, payload) == "EINVAL", payload
    assert sc.error_of(Type.SET_FEATURE, strings(5, 2)) == "ENOENT"
    assert sc.error_of(Type.SET_FEATURE, strings(5, 1)) == "ENOENT"
    assert sc.error_of(Type.SET_FEATURE, strings(0, 2)) == "EBUSY"
    assert sc.error_of(Type.SET_FEATURE, strings(0, 1)) == "EBUSY"
    assert sc.get_feature(0) == 14


def test_quota_names(sc):
    expected = (
        "nodes watches outstanding memory soft-memory transactions transaction-nodes "
        "node-permissions path-max node-size"
    )
    assert sc.request(Type.GET_QUOTA, b"").payload == expected.encode() + b"\0"
    assert sc.request(Type.GET_QUOTA, b"nodes").payload == expected.encode() + b"\0"


@pytest.mark.parametrize("name", QUOTAS)
def test_quota_defaults(sc, name):
    assert sc.get_quota(name) == QUOTAS[name]
    assert sc.get_quota(0, name) == QUOTAS[name]


@pytest.mark.parametrize("name", ["", "permissions", "soft-nodes", "Nodes", "nodes ", "path-length", "quota"])
def test_unknown_quota_names(sc, name):
    assert sc.error_of(Type.GET_QUOTA, strings(name)) == "EINVAL"
    assert sc.error_of(Type.GET_QUOTA, strings(0, name)) == "EINVAL"
    assert sc.error_of(Type.SET_QUOTA, strings(name, 5)) == "EINVAL"
    assert sc.error_of(Type.SET_QUOTA, strings(0, name, 5)) == "EINVAL"


def test_quota_argument_counts(sc):
    assert sc.error_of(Type.GET_QUOTA, strings(0, "nodes", "x")) == "EINVAL"
    assert sc.error_of(Type.SET_QUOTA, b"") == "EINVAL"
    assert sc.error_of(Type.SET_QUOTA, strings("nodes")) == "EINVAL"
    assert sc.error_of(Type.SET_QUOTA, strings(0, "nodes", 1, 2)) == "EINVAL"


def test_quota_of_unknown_domains(sc):
    assert sc.error_of(Type.GET_QUOTA, strings(5, "nodes")) == "ENOENT"
    assert sc.error_of(Type.SET_QUOTA, strings(5, "nodes", 1)) == "ENOENT"
    assert sc.error_of(Type.GET_QUOTA, strings(5, "nonsense")) == "ENOENT"
    assert sc.error_of(Type.CONTROL, strings("quota", 5)) == "ENOENT"


@pytest.mark.parametrize("name", QUOTAS)
def test_set_global_quota(client, other, name):
    for value in (1, 0, 5000, 4294967294):
        client.set_quota(name, value)
        assert other.get_quota(name) == value
        # Domains that are known already keep what they have.
        assert other.get_quota(0, name) == QUOTAS[name]
    client.set_quota(name, QUOTAS[name])


@pytest.mark.parametrize("name", QUOTAS)
def test_set_quota_of_domain_0(client, other, name):
    for value in (1, 0, 5000):
        client.set_quota(0, name, value)
        assert other.get_quota(0, name) == value
        assert other.get_quota(name) == QUOTAS[name]
    client.set_quota(0, name, QUOTAS[name])


def test_quota_values(client):
    for bad in ("4294967295", "-1"):
        assert client.error_of(Type.SET_QUOTA, strings("nodes", bad)) == "EINVAL"
        assert client.error_of(Type.SET_QUOTA, strings(0, "nodes", bad)) == "EINVAL"
    for given, value in (("12x", 12), (" 7", 7), ("x", 0), ("", 0), ("0x10", 0), ("010", 10)):
        client.set_quota("nodes", given)
        assert client.get_quota("nodes") == value


def test_sockets_are_exempt_from_every_quota():
    """A privileged client goes beyond each limit, even where domain 0 has a small one."""
    with Daemon() as daemon:
        client = daemon.connect()
        for name in QUOTAS:
            client.set_quota(name, 1)
            client.set_quota(0, name, 1)
        client.write("/big", b"x" * 4000)
        for n in range(20):
            client.write(f"/n/{n}", b"")
            client.watch(f"/n/{n}", "t")
        client.set_perms("/big", ["n0"] + ["r7"] * 50)
        transactions = [client.transaction_start() for _ in range(20)]
        for tx in transactions:
            for n in range(20):
                client.read(f"/n/{n}", tx)
            client.transaction_end(tx)
        client.mkdir("/" + "p" * 3000)
        client.pipeline_ok([(Type.GET_DOMAIN_PATH, b"1\0")] * 100)
        assert client.read("/big") == b"x" * 4000
