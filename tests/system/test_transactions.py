# SPDX-License-Identifier: GPL-2.0-or-later
"""Transactions: isolation, what conflicts and what does not, what a commit tells.

A transaction sees the store as it was at its start.  At its end it fails with EAGAIN only if
something that it really depended on was changed meanwhile.  spec: protocol.md section 11.
"""

import random

import pytest

from tests.lib.xswire import Type, XsError, strings


def nodes_of_domain_0(client):
    """What the daemon counts as owned by domain 0."""
    for line in client.control("quota", "0").splitlines():
        name, _, rest = line.partition(":")
        if name.strip() == "nodes":
            return int(rest.split("(")[0])
    raise AssertionError("no line about nodes")


def count_nodes(client, path="/"):
    """Nodes of the tree, by looking at it."""
    total, todo = 0, [path]
    while todo:
        at = todo.pop()
        total += 1
        todo += [("" if at == "/" else at) + "/" + name for name in client.ls_parts(at)]
    return total


def check_accounting(client):
    assert nodes_of_domain_0(client) == count_nodes(client) + 2  # and the two special nodes
    assert client.control("check") == "OK"
    assert nodes_of_domain_0(client) == count_nodes(client) + 2


@pytest.fixture
def tree(client):
    for path, value in (("/a", b"A"), ("/a/one", b"1"), ("/a/two", b"2"), ("/b", b"B"), ("/c/d/e", b"E")):
        client.write(path, value)
    return client


# -- the requests themselves -----------------------------------------------------------------


def test_ids_start_at_one_on_each_connection(client, other):
    assert [client.transaction_start() for _ in range(3)] == [1, 2, 3]
    assert [other.transaction_start() for _ in range(2)] == [1, 2]
    client.transaction_end(2)
    assert client.transaction_start() == 4


def test_start_inside_a_transaction_is_ebusy(client):
    tx = client.transaction_start()
    assert client.error_of(Type.TRANSACTION_START, b"\0", tx) == "EBUSY"
    client.write("/still", b"open", tx)
    client.transaction_end(tx)
    assert client.read("/still") == b"open"


@pytest.mark.parametrize("payload", [b"", b"\0", b"anything", b"x\0y\0", b"\xff" * 4096])
def test_payload_of_start_is_ignored(client, payload):
    assert client.request(Type.TRANSACTION_START, payload).payload == b"1\0"


def test_end_without_a_transaction(client):
    assert client.error_of(Type.TRANSACTION_END, b"T\0") == "ENOENT"
    assert client.error_of(Type.TRANSACTION_END, b"F\0") == "ENOENT"
    assert client.error_of(Type.TRANSACTION_END, b"X\0") == "EINVAL"
    assert client.error_of(Type.TRANSACTION_END, b"X\0", 9) == "ENOENT"


@pytest.mark.parametrize("payload", [b"", b"T", b"t\0", b"\0", b"TT\0", b"T\0\0", b"T\0F\0", b"1\0", b" T\0"])
def test_malformed_end_leaves_it_open(client, payload):
    tx = client.transaction_start()
    client.write("/a", b"kept", tx)
    assert client.error_of(Type.TRANSACTION_END, payload, tx) == "EINVAL"
    assert client.read("/a", tx) == b"kept"
    client.transaction_end(tx)
    assert client.read("/a") == b"kept"


def test_an_ended_transaction_is_gone(client):
    for commit in (True, False):
        tx = client.transaction_start()
        client.transaction_end(tx, commit)
        assert client.error_of(Type.READ, b"/\0", tx) == "ENOENT"
        assert client.error_of(Type.TRANSACTION_END, b"T\0", tx) == "ENOENT"


def test_a_valid_id_is_accepted_everywhere(client):
    tx = client.transaction_start()
    for mtype, payload, answer in (
        (Type.GET_DOMAIN_PATH, b"3\0", b"/local/domain/3\0"),
        (Type.IS_DOMAIN_INTRODUCED, b"32752\0", b"T\0"),
        (Type.GET_FEATURE, b"", b"14\0"),
        (Type.CONTROL, b"check\0", b"OK\0"),
    ):
        reply = client.exchange(mtype, payload, tx)
        assert (reply.type, reply.tx_id, reply.payload) == (mtype, tx, answer)
    client.transaction_end(tx)


def test_many_open_transactions(client, other):
    ids = [client.transaction_start() for _ in range(300)]
    for tx in ids:
        client.write(f"/tx/{tx}", b"%d" % tx, tx)
    assert not other.exists("/tx")
    for tx in ids:
        assert client.ls("/tx", tx) == [str(tx)]
    for tx in ids[1:]:
        client.transaction_end(tx, commit=False)
    client.transaction_end(ids[0])
    assert other.ls("/tx") == ["1"]


def test_a_closed_connection_leaves_nothing(daemon, client):
    before = nodes_of_domain_0(client)
    victim = daemon.connect()
    for _ in range(20):
        victim.write("/gone/a/b", b"x", victim.transaction_start())
    victim.close()
    client.sync()
    assert client.ls("/") == ["tool"]
    assert nodes_of_domain_0(client) == before


# -- isolation -------------------------------------------------------------------------------


def test_own_changes_are_seen_inside_only(tree, other):
    tx = tree.transaction_start()
    tree.write("/a/one", b"changed", tx)
    tree.write("/a/three", b"3", tx)
    tree.rm("/a/two", tx)
    tree.mkdir("/new/deep", tx)
    tree.set_perms("/b", ["r0"], tx)
    tree.rm("/c", tx)
    assert tree.read("/a/one", tx) == b"changed"
    assert tree.ls("/a", tx) == ["one", "three"]
    assert tree.error_of(Type.READ, strings("/a/two"), tx) == "ENOENT"
    assert tree.ls("/", tx) == ["tool", "a", "b", "new"]
    assert tree.get_perms("/b", tx) == ["r0"]
    assert tree.error_of(Type.READ, strings("/c/d/e"), tx) == "ENOENT"
    for reader in (tree, other):
        assert reader.read("/a/one") == b"1"
        assert reader.ls("/a") == ["one", "two"]
        assert reader.ls("/") == ["tool", "a", "b", "c"]
        assert reader.get_perms("/b") == ["n0"]
        assert reader.read("/c/d/e") == b"E"
    tree.transaction_end(tx)
    assert other.read("/a/one") == b"changed"
    assert other.ls("/a") == ["one", "three"]
    assert other.ls("/") == ["tool", "a", "b", "new"]
    assert other.get_perms("/b") == ["r0"]
    check_accounting(other)


def test_the_store_of_the_start_is_seen(tree, other):
    tx = tree.transaction_start()
    other.write("/a/one", b"later")
    other.write("/a/new", b"later")
    other.rm("/c")
    other.set_perms("/b", ["b0"])
    assert tree.read("/a/one", tx) == b"1"
    assert tree.ls("/a", tx) == ["one", "two"]
    assert tree.read("/c/d/e", tx) == b"E"
    assert tree.get_perms("/b", tx) == ["n0"]
    assert tree.error_of(Type.READ, strings("/a/new"), tx) == "ENOENT"
    tree.transaction_end(tx)
    assert other.read("/a/one") == b"later"
    assert not other.exists("/c")


def test_abort_undoes_everything(tree, other):
    before = nodes_of_domain_0(tree)
    other.watch("/", "t")
    tx = tree.transaction_start()
    tree.write("/a", b"x", tx)
    tree.write("/n/e/w", b"x", tx)
    tree.rm("/c", tx)
    tree.set_perms("/b", ["b0"], tx)
    tree.set_perms("@releaseDomain", ["b0"], tx)
    tree.transaction_end(tx, commit=False)
    assert other.drain_events() == []
    assert tree.read("/a") == b"A"
    assert tree.ls("/") == ["tool", "a", "b", "c"]
    assert tree.read("/c/d/e") == b"E"
    assert tree.get_perms("/b") == ["n0"]
    assert tree.get_perms("@releaseDomain") == ["n0", "r32757"]
    assert nodes_of_domain_0(tree) == before


def test_errors_do_not_spoil_a_transaction(tree):
    tx = tree.transaction_start()
    tree.write("/ok", b"1", tx)
    for mtype, payload, error in (
        (Type.READ, b"/missing\0", "ENOENT"),
        (Type.READ, b"/a//b\0", "EINVAL"),
        (Type.RM, b"/\0", "EINVAL"),
        (Type.RM, b"/missing/x\0", "ENOENT"),
        (Type.SET_PERMS, b"/a\0x0\0", "EINVAL"),
        (Type.SET_PERMS, b"/a\0n5\0", "ENOENT"),
        (Type.SET_PERMS, b"@foo\0n0\0", "ENOENT"),
        (99, b"", "ENOSYS"),
    ):
        assert tree.error_of(mtype, payload, tx) == error
    tree.transaction_end(tx)
    assert tree.read("/ok") == b"1"


def test_interleaved_transactions_of_one_connection(tree):
    first, second = tree.transaction_start(), tree.transaction_start()
    tree.write("/x", b"first", first)
    tree.write("/y", b"second", second)
    assert tree.read("/x", first) == b"first"
    assert tree.read("/y", second) == b"second"
    assert not tree.exists("/x") and not tree.exists("/y")
    assert tree.commit(second) and tree.commit(first)
    assert (tree.read("/x"), tree.read("/y")) == (b"first", b"second")
    assert tree.ls("/")[-2:] == ["y", "x"]


def test_each_saw_that_the_others_node_was_missing(tree, other):
    # No order of the two explains what both have seen.
    mine, yours = tree.transaction_start(), other.transaction_start()
    for client, tx, own, foreign in ((tree, mine, "/x", "/y"), (other, yours, "/y", "/x")):
        client.write(own, b"", tx)
        assert not client.exists(foreign, tx)
    assert other.commit(yours)
    assert not tree.commit(mine)
    assert tree.ls("/")[-1] == "y"


# -- conflicts that are none -----------------------------------------------------------------


def run(client, other, inside, outside):
    """One transaction with a change by somebody else before its end; True if committed."""
    tx = client.transaction_start()
    inside(client, tx)
    outside(other)
    return client.commit(tx)


NO_CONFLICT = {
    "nothing happened": (lambda c, t: c.write("/a/one", b"x", t), lambda o: None),
    "unrelated node": (lambda c, t: c.write("/a/one", c.read("/a/two", t), t), lambda o: o.write("/b", b"x")),
    "different children": (lambda c, t: c.write("/a/mine", b"x", t), lambda o: o.write("/a/yours", b"x")),
    "different deep children": (lambda c, t: c.mkdir("/n/m/l", t), lambda o: o.write("/o/p/q", b"x")),
    "child removed beside": (lambda c, t: c.write("/a/mine", b"x", t), lambda o: o.rm("/a/two")),
    "value of the parent": (lambda c, t: c.write("/a/mine", b"x", t), lambda o: o.write("/a", b"x")),
    "children of a node whose value was read": (
        lambda c, t: c.write("/b", c.read("/a", t), t),
        lambda o: o.write("/a/three", b"x"),
    ),
    "children gone of a node whose value was read": (
        lambda c, t: c.write("/b", c.read("/a", t), t),
        lambda o: o.rm("/a/one"),
    ),
    "deeper change below a listed node": (
        lambda c, t: c.write("/b", b"".join(map(str.encode, c.ls("/a", t))), t),
        lambda o: o.write("/a/one/deeper", b"x"),
    ),
    "value of a listed child": (
        lambda c, t: c.write("/b", b"".join(map(str.encode, c.ls("/a", t))), t),
        lambda o: o.write("/a/one", b"x"),
    ),
    "blind write": (lambda c, t: c.write("/b", b"mine", t), lambda o: o.write("/b", b"yours")),
    "removal of a changed node": (lambda c, t: c.rm("/a", t), lambda o: o.write("/a", b"changed")),
    "removal of a node with a new child": (lambda c, t: c.rm("/a", t), lambda o: o.write("/a/new", b"x")),
    "permissions read, value changed": (
        lambda c, t: c.write("/b", c.get_perms("/a", t)[0], t),
        lambda o: o.write("/a", b"changed"),
    ),
    "own value read back": (
        lambda c, t: (c.write("/b", b"mine", t), c.read("/b", t)),
        lambda o: o.write("/b", b"yours"),
    ),
}


@pytest.mark.parametrize("name", NO_CONFLICT)
def test_no_conflict(tree, other, name):
    inside, outside = NO_CONFLICT[name]
    assert run(tree, other, inside, outside)
    check_accounting(tree)


def test_two_transactions_create_different_children(tree, other):
    mine, yours = tree.transaction_start(), other.transaction_start()
    tree.write("/a/mine", b"m", mine)
    other.write("/a/yours", b"y", yours)
    assert tree.commit(mine) and other.commit(yours)
    assert tree.ls("/a") == ["one", "two", "mine", "yours"]
    check_accounting(tree)


def test_two_transactions_build_different_domains(tree, other):
    # The toolstack's usual pattern.
    tree.mkdir("/local/domain")
    mine, yours = tree.transaction_start(), other.transaction_start()
    for client, tx, domid in ((tree, mine, 1), (other, yours, 2)):
        client.mkdir(f"/local/domain/{domid}", tx)
        client.set_perms(f"/local/domain/{domid}", ["n0", f"r{domid}"], tx)
        client.write(f"/local/domain/{domid}/name", b"vm%d" % domid, tx)
    assert tree.commit(mine) and other.commit(yours)
    assert tree.ls("/local/domain") == ["1", "2"]
    assert other.get_perms("/local/domain/2/name") == ["n0", "r2"]
    check_accounting(tree)


def test_blind_writes_do_not_conflict(tree, other):
    mine, yours = tree.transaction_start(), other.transaction_start()
    tree.write("/b", b"mine", mine)
    other.write("/b", b"yours", yours)
    assert tree.commit(mine) and other.commit(yours)
    assert tree.read("/b") == b"yours"


def test_a_blind_write_keeps_what_others_did_to_the_node(tree, other):
    assert run(tree, other, lambda c, t: c.write("/a", b"mine", t), lambda o: o.write("/a/new", b"x"))
    assert tree.read("/a") == b"mine"
    assert tree.ls("/a") == ["one", "two", "new"]


def test_removal_takes_what_others_added(tree, other):
    assert run(tree, other, lambda c, t: c.rm("/a", t), lambda o: o.write("/a/new/deep", b"x"))
    assert tree.ls("/") == ["tool", "b", "c"]
    check_accounting(tree)


READ_ONLY = {
    "value": lambda c, t: c.read("/a/one", t),
    "children": lambda c, t: c.ls("/a", t),
    "part": lambda c, t: c.ls_parts("/a", t),
    "permissions": lambda c, t: c.get_perms("/a", t),
    "absence": lambda c, t: c.exists("/a/new", t),
    "existing mkdir": lambda c, t: c.mkdir("/a", t),
}


@pytest.mark.parametrize("name", READ_ONLY)
def test_read_only_transactions_always_commit(tree, other, name):
    tx = tree.transaction_start()
    READ_ONLY[name](tree, tx)
    other.write("/a/one", b"changed")
    other.set_perms("/a", ["b0"])
    other.write("/a/new", b"x")
    other.rm("/a")
    other.write("/a/one", b"again")
    tree.transaction_end(tx)
    assert other.read("/a/one") == b"again"


# -- conflicts that are some -----------------------------------------------------------------

CONFLICT = {
    "read value": (lambda c, t: c.write("/b", c.read("/a", t), t), lambda o: o.write("/a", b"changed")),
    "read value, same node": (
        lambda c, t: c.write("/b", c.read("/b", t) + b"!", t),
        lambda o: o.write("/b", b"changed"),
    ),
    "read value, node gone": (lambda c, t: c.write("/b", c.read("/a/one", t), t), lambda o: o.rm("/a/one")),
    "read value, ancestor gone": (lambda c, t: c.write("/b", c.read("/a/one", t), t), lambda o: o.rm("/a")),
    "read value, committed by a transaction": (
        lambda c, t: c.write("/b", c.read("/a", t), t),
        lambda o: (lambda u: (o.write("/a", b"changed", u), o.transaction_end(u)))(o.transaction_start()),
    ),
    "list, child added": (lambda c, t: c.write("/b", str(c.ls("/a", t)), t), lambda o: o.mkdir("/a/new")),
    "list, child removed": (lambda c, t: c.write("/b", str(c.ls("/a", t)), t), lambda o: o.rm("/a/two")),
    "parts, child added": (lambda c, t: c.write("/b", str(c.ls_parts("/a", t)), t), lambda o: o.mkdir("/a/new")),
    "list, node gone": (lambda c, t: c.write("/b", str(c.ls("/a", t)), t), lambda o: o.rm("/a")),
    "list of a leaf": (lambda c, t: c.write("/b", str(c.ls("/c/d/e", t)), t), lambda o: o.mkdir("/c/d/e/f")),
    "permissions read": (lambda c, t: c.write("/b", c.get_perms("/a", t)[0], t), lambda o: o.set_perms("/a", ["b0"])),
    "absence, created": (
        lambda c, t: c.write("/b", str(c.exists("/a/new", t)), t),
        lambda o: o.write("/a/new", b"x"),
    ),
    "deep absence, created": (
        lambda c, t: c.write("/b", str(c.exists("/x/y/z", t)), t),
        lambda o: o.write("/x/y/z", b"x"),
    ),
    "write, node gone": (lambda c, t: c.write("/a/one", b"x", t), lambda o: o.rm("/a/one")),
    "write, ancestor gone": (lambda c, t: c.write("/a/one", b"x", t), lambda o: o.rm("/a")),
    "create, also created": (lambda c, t: c.write("/a/new", b"x", t), lambda o: o.write("/a/new", b"y")),
    "create, parent gone": (lambda c, t: c.write("/a/new", b"x", t), lambda o: o.rm("/a")),
    "create, permissions of the parent changed": (
        lambda c, t: c.write("/a/new", b"x", t),
        lambda o: o.set_perms("/a", ["n0", "r7"]),
    ),
    "deep create, permissions of the ancestor changed": (
        lambda c, t: c.write("/a/n/e/w", b"x", t),
        lambda o: o.set_perms("/a", ["n0", "r7"]),
    ),
    "mkdir, also created": (lambda c, t: c.mkdir("/a/new", t), lambda o: o.mkdir("/a/new")),
    "mkdir of an existing node that goes": (
        lambda c, t: (c.mkdir("/a/one", t), c.write("/b", b"x", t)),
        lambda o: o.rm("/a/one"),
    ),
    "remove, node gone": (lambda c, t: (c.rm("/a/one", t), c.write("/b", b"x", t)), lambda o: o.rm("/a/one")),
    "remove of a missing node that comes": (
        lambda c, t: (c.rm("/a/new", t), c.write("/b", b"x", t)),
        lambda o: o.mkdir("/a/new"),
    ),
    "set permissions, node gone": (lambda c, t: c.set_perms("/a/one", ["r0"], t), lambda o: o.rm("/a/one")),
    "special node's permissions read": (
        lambda c, t: c.write("/b", str(c.get_perms("@releaseDomain", t)), t),
        lambda o: o.set_perms("@releaseDomain", ["n0"]),
    ),
}


def dump(client, path="/"):
    """The whole tree as a dictionary."""
    result, todo = {}, [path]
    while todo:
        at = todo.pop()
        names = client.ls(at)
        result[at] = (client.read(at), client.get_perms(at), names)
        todo += [("" if at == "/" else at) + "/" + name for name in names]
    return result


@pytest.mark.parametrize("name", CONFLICT)
def test_conflict_leaves_nothing_behind(tree, other, name):
    inside, outside = CONFLICT[name]
    tx = tree.transaction_start()
    tree.write("/also/this", b"x", tx)
    inside(tree, tx)
    outside(other)
    before, nodes = dump(other), nodes_of_domain_0(other)
    other.watch("/", "t")
    assert not tree.commit(tx)
    assert dump(other) == before
    assert nodes_of_domain_0(other) == nodes
    assert other.drain_events() == []
    assert tree.error_of(Type.READ, b"/\0", tx) == "ENOENT"
    check_accounting(other)
    # Tried again, it works.
    try:
        tx = tree.transaction_start()
        inside(tree, tx)
    except XsError as exc:
        assert exc.name == "ENOENT"  # what it read is gone now
        tree.transaction_end(tx, commit=False)
    else:
        assert tree.commit(tx)
    check_accounting(other)


def test_an_aborted_change_is_no_conflict(tree, other):
    tx = tree.transaction_start()
    tree.write("/b", tree.read("/a", tx), tx)
    beside = other.transaction_start()
    other.write("/a", b"changed", beside)
    other.transaction_end(beside, commit=False)
    assert tree.commit(tx)


def test_own_change_outside_is_a_conflict_too(tree):
    tx = tree.transaction_start()
    tree.write("/b", tree.read("/a", tx), tx)
    tree.write("/a", b"changed")
    assert not tree.commit(tx)


def test_the_first_of_two_wins(tree, other):
    mine, yours = tree.transaction_start(), other.transaction_start()
    for client, tx in ((tree, mine), (other, yours)):
        client.write("/b", client.read("/b", tx) + b"!", tx)
    assert other.commit(yours)
    assert not tree.commit(mine)
    assert tree.read("/b") == b"B!"


def test_write_skew_is_caught(tree, other):
    tree.write("/x", b"1")
    tree.write("/y", b"1")
    mine, yours = tree.transaction_start(), other.transaction_start()
    tree.write("/x", b"0", mine) if tree.read("/y", mine) == b"1" else None
    other.write("/y", b"0", yours) if other.read("/x", yours) == b"1" else None
    assert tree.commit(mine) + other.commit(yours) == 1
    assert sorted((tree.read("/x"), tree.read("/y"))) == [b"0", b"1"]


def test_counters_of_many_clients_add_up(daemon, client):
    """Increments by read and write; a lost update would show in the sum."""
    rng = random.Random(7)
    client.write("/counter", b"0")
    workers = [daemon.connect() for _ in range(8)]
    open_at = {}
    done = 0
    conflicts = 0
    while done < 300:
        worker = rng.choice(workers)
        if worker not in open_at:
            tx = worker.transaction_start()
            worker.write("/counter", b"%d" % (int(worker.read("/counter", tx)) + 1), tx)
            open_at[worker] = tx
        elif worker.commit(open_at.pop(worker)):
            done += 1
        else:
            conflicts += 1
    for worker, tx in open_at.items():
        worker.transaction_end(tx, commit=False)
    assert client.read("/counter") == b"300"
    assert conflicts > 0


def test_a_sum_is_kept_while_money_moves(daemon, client):
    rng = random.Random(11)
    accounts = [f"/bank/{n}" for n in range(5)]
    for path in accounts:
        client.write(path, b"100")
    workers = [daemon.connect() for _ in range(6)]
    open_at = {}
    for _ in range(600):
        worker = rng.choice(workers)
        if worker in open_at:
            worker.commit(open_at.pop(worker))
            continue
        tx = open_at[worker] = worker.transaction_start()
        if rng.random() < 0.3:
            assert sum(int(worker.read(path, tx)) for path in accounts) == 500
            continue
        source, target = rng.sample(accounts, 2)
        amount = rng.randint(1, 50)
        worker.write(source, b"%d" % (int(worker.read(source, tx)) - amount), tx)
        worker.write(target, b"%d" % (int(worker.read(target, tx)) + amount), tx)
    assert sum(int(client.read(path)) for path in accounts) == 500


def test_xsa_206_a_busy_writer_elsewhere_does_not_starve_a_commit(daemon, client, other):
    other.mkdir("/busy")
    client.mkdir("/quiet")
    tx = client.transaction_start()
    for n in range(200):
        client.write(f"/quiet/{n}", client.read("/quiet", tx), tx)
        other.write("/busy", b"%d" % n)
        other.write(f"/busy/{n}", b"")
    assert client.commit(tx)


# -- events of a commit ----------------------------------------------------------------------


def test_events_come_at_the_commit_only(tree, other):
    other.watch("/", "t")
    tx = tree.transaction_start()
    tree.write("/a/one", b"x", tx)
    tree.mkdir("/new", tx)
    assert other.drain_events() == []
    tree.transaction_end(tx)
    assert other.drain_events() == [("/a/one", "t"), ("/new", "t")]


def test_events_in_the_order_of_first_touch(tree, other):
    other.watch("/", "t")
    tx = tree.transaction_start()
    tree.read("/b", tx)
    tree.write("/a/two", b"x", tx)
    tree.write("/a/one", b"x", tx)
    tree.write("/b", b"x", tx)
    tree.write("/a/two", b"y", tx)
    tree.transaction_end(tx)
    assert other.drain_events() == [("/b", "t"), ("/a/two", "t"), ("/a/one", "t")]


def test_one_event_for_each_node(tree, other):
    other.watch("/", "t")
    tx = tree.transaction_start()
    for n in range(10):
        tree.write("/a", b"%d" % n, tx)
        tree.set_perms("/a", ["r0"], tx)
    tree.transaction_end(tx)
    assert other.drain_events() == [("/a", "t")]


def test_implicit_changes_raise_none(tree, other):
    other.watch("/a", "a", 0)
    other.watch("/n", "n", 0)
    other.watch("/n/e/w", "w")
    tx = tree.transaction_start()
    tree.write("/n/e/w", b"x", tx)
    tree.write("/a/new", b"x", tx)
    tree.rm("/a/one", tx)
    tree.transaction_end(tx)
    assert other.drain_events() == [("/n/e/w", "w")]


def test_created_and_removed_is_no_event(tree, other):
    # XSA-421: this once ended a commit half way.
    other.watch("/", "t")
    other.watch("/brief", "brief")
    nodes = nodes_of_domain_0(tree)
    tx = tree.transaction_start()
    tree.write("/before", b"x", tx)
    tree.write("/brief", b"x", tx)
    tree.write("/brief/child", b"x", tx)
    tree.rm("/brief", tx)
    tree.write("/after", b"x", tx)
    tree.transaction_end(tx)
    assert other.drain_events() == [("/before", "t"), ("/after", "t")]
    assert not tree.exists("/brief")
    assert nodes_of_domain_0(tree) == nodes + 2
    check_accounting(tree)


def test_removed_and_created_again(tree, other):
    other.watch("/a", "t")
    tx = tree.transaction_start()
    tree.rm("/a", tx)
    tree.write("/a", b"new", tx)
    tree.transaction_end(tx)
    assert other.drain_events() == [("/a", "t")]
    assert tree.read("/a") == b"new"
    assert tree.ls("/a") == []
    check_accounting(tree)


def test_removal_in_a_transaction_reaches_watches_below(tree, other):
    other.watch("/c/d/e", "e")
    other.watch("/c/d/none", "none")
    other.watch("/c", "c")
    tx = tree.transaction_start()
    tree.rm("/c", tx)
    tree.transaction_end(tx)
    events = other.drain_events()
    assert sorted(events) == [("/c", "c"), ("/c/d/e", "e")]


def test_subtree_wins_over_exact(tree, other):
    other.watch("/c", "top")
    tx = tree.transaction_start()
    tree.rm("/c", tx)
    tree.write("/c/d/e", b"again", tx)
    tree.transaction_end(tx)
    assert ("/c/d/e", "top") in other.drain_events()


def test_reading_raises_nothing(tree, other):
    other.watch("/", "t")
    tx = tree.transaction_start()
    tree.read("/a", tx)
    tree.ls("/", tx)
    tree.mkdir("/a", tx)
    tree.rm("/a/missing", tx)
    tree.transaction_end(tx)
    assert other.drain_events() == []


def test_events_before_the_answer_to_the_commit(tree):
    tree.watch("/", "t")
    tx = tree.transaction_start()
    for n in range(5):
        tree.write(f"/e{n}", b"", tx)
    start = len(tree.log)
    tree.transaction_end(tx)
    assert [m.is_event for m in tree.log[start:]] == [True] * 5 + [False]


def test_special_nodes_in_a_transaction(tree, other):
    other.watch("@introduceDomain", "s")
    tx = tree.transaction_start()
    tree.set_perms("@introduceDomain", ["r0"], tx)
    assert other.drain_events() == []
    tree.transaction_end(tx)
    assert other.drain_events() == [("@introduceDomain", "s")]


# -- history ---------------------------------------------------------------------------------


def test_xsa_440_node_removed_outside_while_changed_inside(tree, other):
    for inside in (
        lambda tx: tree.write("/a/one", b"x", tx),
        lambda tx: tree.rm("/a/one", tx),
        lambda tx: tree.set_perms("/a/one", ["r0"], tx),
        lambda tx: (tree.rm("/a/one", tx), tree.write("/a/one", b"new", tx)),
    ):
        tree.write("/a/one", b"1")
        tx = tree.transaction_start()
        inside(tx)
        other.rm("/a/one")
        tree.commit(tx)
        check_accounting(tree)


def test_xsa_421_counting_after_all_kinds_of_ends(tree, other):
    rng = random.Random(3)
    names = [f"/r/{x}/{y}" for x in "abc" for y in "xyz"]
    for _ in range(150):
        tx = tree.transaction_start()
        for _ in range(rng.randint(1, 6)):
            path = rng.choice(names + ["/r/a", "/r/b", "/r"])
            action = rng.choice(["write", "mkdir", "rm", "perms"])
            try:
                if action == "write":
                    tree.write(path, b"x", tx)
                elif action == "mkdir":
                    tree.mkdir(path, tx)
                elif action == "rm":
                    tree.rm(path, tx)
                else:
                    tree.set_perms(path, ["r0"], tx)
            except XsError as exc:
                assert exc.name == "ENOENT"
            if rng.random() < 0.1:
                try:
                    other.rm(rng.choice(names + ["/r"]))
                except XsError as exc:
                    assert exc.name == "ENOENT"
        if rng.random() < 0.7:
            tree.commit(tx)
        else:
            tree.transaction_end(tx, commit=False)
    check_accounting(tree)


def test_large_transaction(client, other):
    # A privileged client has no limit on nodes in a transaction.
    count = 5000
    other.watch("/bulk", "t")
    tx = client.transaction_start()
    client.pipeline_ok((Type.WRITE, strings(f"/bulk/{n}") + b"v%d" % n, tx) for n in range(count))
    assert not other.exists("/bulk")
    client.transaction_end(tx)
    assert [e.path for e in other.drain_events()] == [f"/bulk/{n}" for n in range(count)]
    assert len(other.ls_parts("/bulk")) == count
    tx = client.transaction_start()
    client.rm("/bulk", tx)
    client.transaction_end(tx)
    assert other.drain_events()[-1] == ("/bulk", "t")
    check_accounting(other)
