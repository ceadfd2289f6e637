# SPDX-License-Identifier: GPL-2.0-or-later
"""Watches: what matches, what an event says, in which order, and what is never sent.

Every socket is privileged, so the permission filter has no say here.
spec: protocol.md sections 8, 9 and 10.
"""

import pytest

from tests.lib.daemon import Daemon
from tests.lib.xswire import Type, strings


def kinds(client, start):
    """The messages since `start` of the client's log: "E" for events, "R" for replies."""
    return "".join("E" if m.is_event else "R" for m in client.log[start:])


# -- setting and removing ------------------------------------------------------------------


def test_reply_first_then_the_initial_event(client):
    client.request(Type.WATCH, strings("/a", "t"))
    client.sync()
    assert kinds(client, 0) == "RER"
    assert client.log[0].payload == b"OK\0"
    assert client.log[1].payload == b"/a\0t\0"


def test_initial_event_for_existing_and_missing_nodes(client):
    for path in ("/", "/tool", "/missing/below", "@releaseDomain", "@nothing", "rel"):
        client.watch(path, "t")
    assert client.drain_events() == []


@pytest.mark.parametrize("token", ["", " ", "a/b", "\x01\xff\n", "t" * 3000])
def test_tokens_are_any_bytes(client, other, token):
    client.watch("/a", token)
    other.write("/a", b"")
    assert client.wait_event() == ("/a", token)
    client.unwatch("/a", token)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"/a",
        b"/a\0",
        b"/a\0t",
        b"/a\0t\0" + b"1\0x\0",
        b"/a\0t\0-1\0",
        b"/a\0t\0" + b"-2147483648\0",
        b"/a/\0t\0",
        b"\0t\0",
        b"/a b\0t\0",
        b"@a b\0t\0",
    ],
)
def test_watch_errors(sc, payload):
    assert sc.error_of(Type.WATCH, payload) == "EINVAL"
    assert sc.drain_events() == []


@pytest.mark.parametrize("payload", [b"", b"/a\0", b"/a\0t", b"/a\0t\0" + b"1\0", b"/a/\0t\0", b"\0t\0"])
def test_unwatch_errors(sc, payload):
    assert sc.error_of(Type.UNWATCH, payload) == "EINVAL"


def test_unterminated_rest_of_watch_is_ignored(client, other):
    client.request(Type.WATCH, b"/a\0t\0" + b"0")
    client.wait_event()
    other.write("/a/b/c", b"")
    assert client.drain_events() == [("/a/b/c", "t")]
    client.request(Type.UNWATCH, b"/a\0t\0rest")


@pytest.mark.parametrize(
    "depth,levels", [("0", 0), ("", 0), ("x", 0), ("1", 1), (" 2", 2), ("+1", 1), ("1x", 1), ("2000000000", 3)]
)
def test_depth_is_read_leniently(client, other, depth, levels):
    client.watch("/a", "t", depth)
    for path in ("/a", "/a/b", "/a/b/c", "/a/b/c/d"):
        other.write(path, b"")
    expected = ["/a", "/a/b", "/a/b/c", "/a/b/c/d"][: levels + 1]
    assert [e.path for e in client.drain_events()] == expected


def test_eexist(client, other):
    client.watch("/a", "t")
    assert client.error_of(Type.WATCH, strings("/a", "t")) == "EEXIST"
    assert client.error_of(Type.WATCH, strings("/a", "t", "1")) == "EEXIST"
    client.watch("/a", "u")
    client.watch("/b", "t")
    other.watch("/a", "t")
    client.watch("rel", "t", 3)
    assert client.error_of(Type.WATCH, strings("/local/domain/0/rel", "t")) == "EEXIST"
    assert client.error_of(Type.WATCH, strings("rel", "t")) == "EEXIST"
    assert client.drain_events() == []


def test_unwatch_matches_path_and_token(client):
    client.watch("/a", "t", 2)
    client.watch("rel", "r")
    for path, token in (("/a", "u"), ("/b", "t"), ("/", "t"), ("/a/b", "t"), ("/rel", "r")):
        assert client.error_of(Type.UNWATCH, strings(path, token)) == "ENOENT"
    client.unwatch("/a", "t")
    assert client.error_of(Type.UNWATCH, strings("/a", "t")) == "ENOENT"
    client.unwatch("/local/domain/0/rel", "r")
    assert client.error_of(Type.UNWATCH, strings("rel", "r")) == "ENOENT"


def test_a_watch_belongs_to_its_connection(client, other):
    client.watch("/a", "t")
    assert other.error_of(Type.UNWATCH, strings("/a", "t")) == "ENOENT"
    client.write("/a", b"")
    assert client.drain_events() == [("/a", "t")]
    assert other.drain_events() == []


def test_queued_events_come_before_the_answer_to_unwatch(client, other):
    client.watch("/a", "t")
    for n in range(50):
        other.write(f"/a/{n}", b"")
    client.unwatch("/a", "t")
    other.write("/a/late", b"")
    before = [e.path for e in list(client.events)]
    assert before == [f"/a/{n}" for n in range(50)]
    client.events.clear()
    assert client.drain_events() == []


def test_a_watch_set_again_works(client, other):
    for n in range(100):
        client.watch("/a", "t")
        other.write("/a", b"%d" % n)
        assert client.drain_events() == [("/a", "t")]
        client.unwatch("/a", "t")
        other.write("/a", b"%d" % n)
        assert client.drain_events() == []


def test_reset_watches_drops_watches_and_transactions(client, other):
    client.watch("/a", "t")
    client.watch("@releaseDomain", "t")
    tx = client.transaction_start()
    client.write("/lost", b"", tx)
    client.request(Type.RESET_WATCHES, b"any payload")
    other.write("/a", b"")
    assert client.drain_events() == []
    assert client.error_of(Type.READ, b"/\0", tx) == "ENOENT"
    assert client.error_of(Type.UNWATCH, strings("/a", "t")) == "ENOENT"
    assert not other.exists("/lost")
    client.watch("/a", "t")


def test_xsa_484_reset_watches_inside_a_transaction(client):
    transactions = [client.transaction_start() for _ in range(5)]
    client.write("/lost", b"", transactions[2])
    client.watch("/a", "t")
    client.reset_watches(transactions[2])
    for tx in transactions:
        assert client.error_of(Type.READ, b"/\0", tx) == "ENOENT"
    assert not client.exists("/lost")
    with_id = client.exchange(Type.RESET_WATCHES, b"", tx=transactions[0])
    assert with_id.error == "ENOENT"


def test_reset_watches_sends_queued_events_first(client, other):
    client.watch("/a", "t")
    other.write("/a", b"")
    start = len(client.log)
    client.reset_watches()
    client.sync()
    assert kinds(client, start) == "ERR"


def test_xsa_330_setting_and_resetting_leaves_nothing_behind():
    # Small quarantine, so that a build with the address sanitizer can be judged as well.
    with Daemon(env={"ASAN_OPTIONS": "quarantine_size_mb=1"}) as daemon:
        client = daemon.connect()

        def rounds(count):
            for number in range(count):
                client.pipeline_ok(
                    (Type.WATCH, strings(f"/w/{number % 3}/{n}", "t" * 100)) for n in range(200)
                )
                client.reset_watches()
                client.drain_events()
                client.log.clear()

        rounds(10)
        before = daemon.status("VmRSS")
        rounds(100)
        assert daemon.status("VmRSS") - before < 16 * 1024
        client.write("/w/0/0", b"")
        assert client.drain_events() == []


# -- matching ------------------------------------------------------------------------------


def test_subtree(client, other):
    for path in ("/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/bb", "/x", "/a/b/c-d"):
        client.watch(path, path)
    other.write("/a/b/c", b"")
    assert client.drain_events() == [
        ("/a/b/c", "/"),
        ("/a/b/c", "/a"),
        ("/a/b/c", "/a/b"),
        ("/a/b/c", "/a/b/c"),
    ]


def test_a_name_that_is_a_prefix_does_not_match(client, other):
    client.watch("/abc", "t")
    for path in ("/abcd", "/ab", "/abc-", "/ABC", "/abcd/abc"):
        other.write(path, b"")
    assert client.drain_events() == []


@pytest.mark.parametrize("depth", range(5))
def test_depth(client, other, depth):
    client.watch("/w", "deep", depth)
    client.watch("/", "root", depth)
    for path in ("/w", "/w/1", "/w/1/2", "/w/1/2/3", "/w/1/2/3/4", "/v"):
        other.write(path, b"")
    events = client.drain_events()
    chain = ["/w", "/w/1", "/w/1/2", "/w/1/2/3", "/w/1/2/3/4"]
    assert [e.path for e in events if e.token == "deep"] == chain[: depth + 1]
    assert [e.path for e in events if e.token == "root"] == chain[:depth] + (["/v"] if depth else [])


def test_implicit_ancestors_raise_no_event(client, other):
    client.watch("/a", "top", 0)
    client.watch("/a/b", "middle", 0)
    client.watch("/", "root")
    other.write("/a/b/c", b"")
    other.mkdir("/m/n")
    assert client.drain_events() == [("/a/b/c", "root"), ("/m/n", "root")]


def test_what_raises_an_event(client, other):
    client.watch("/a", "t")
    other.mkdir("/a")
    assert client.drain_events() == [("/a", "t")]
    other.mkdir("/a")
    other.read("/a")
    other.ls("/a")
    other.get_perms("/a")
    other.rm("/a/missing")
    assert client.drain_events() == []
    other.write("/a", b"")
    other.sync()
    assert client.drain_events() == [("/a", "t")]
    other.set_perms("/a", ["n0"])
    assert client.drain_events() == [("/a", "t")]
    other.rm("/a")
    assert client.drain_events() == [("/a", "t")]


def test_failed_requests_raise_no_event(client, other):
    client.watch("/", "t")
    for mtype, payload in (
        (Type.WRITE, b"/a//b\0x"),
        (Type.RM, b"/none/none\0"),
        (Type.RM, b"/\0"),
        (Type.SET_PERMS, b"/tool\0n5\0"),
        (Type.SET_PERMS, b"/tool\0x0\0"),
        (Type.MKDIR, b"/a/\0"),
    ):
        assert other.error_of(mtype, payload)
    assert client.drain_events() == []


def test_removal_children_before_parents(client, other):
    other.write("/a/b/c", b"")
    for path in ("/", "/a", "/a/b/c", "/a/b", "/a/b/zz", "/a/b/c/d"):
        client.watch(path, "on" + path)
    other.rm("/a")
    assert client.drain_events() == [
        ("/a/b/c", "on/a/b/c"),
        ("/a/b", "on/a/b"),
        ("/a", "on/"),
        ("/a", "on/a"),
    ]


def test_removal_of_a_wide_tree(client, other):
    paths = [f"/top/{i}/{j}" for i in range(10) for j in range(10)]
    for path in paths:
        other.write(path, b"")
    for path in ["/top"] + [f"/top/{i}" for i in range(10)] + paths:
        client.watch(path, "t")
    other.rm("/top")
    order = [e.path for e in client.drain_events()]
    assert sorted(order) == sorted(["/top"] + [f"/top/{i}" for i in range(10)] + paths)
    for pos, path in enumerate(order):
        assert not any(path.startswith(earlier + "/") for earlier in order[:pos])


def test_removal_and_depth(client, other):
    other.write("/a/b/c", b"")
    client.watch("/a", "a0", 0)
    client.watch("/a", "a1", 1)
    client.watch("/a/b/c", "c0", 0)
    other.rm("/a/b")
    # Each removed node reaches watches on itself, whatever their depth; the top reaches more.
    assert client.drain_events() == [("/a/b/c", "c0"), ("/a/b", "a1")]


def test_removal_of_a_node_without_watches_below(client, other):
    other.write("/a/b/c", b"")
    client.watch("/a/b", "t")
    other.rm("/a/b/c")
    assert client.drain_events() == [("/a/b/c", "t")]


def test_registration_order(client, other):
    tokens = [f"t{n}" for n in (5, 3, 9, 1, 7, 2)]
    places = ["/", "/a", "/a/b", "/a/b/c"]
    for n, token in enumerate(tokens):
        client.watch(places[n % 4] if n % 2 else places[3 - n % 4], token)
    other.write("/a/b/c", b"")
    assert [e.token for e in client.drain_events()] == tokens


def test_registration_order_after_unwatch(client, other):
    for token in ("one", "two", "three"):
        client.watch("/a", token)
    client.unwatch("/a", "one")
    client.watch("/a", "one")
    other.write("/a/x", b"")
    assert [e.token for e in client.drain_events()] == ["two", "three", "one"]


def test_order_of_changes(client, other):
    client.watch("/", "t")
    paths = [f"/n/{n}" for n in range(300)]
    other.pipeline_ok((Type.WRITE, strings(path)) for path in paths)
    assert [e.path for e in client.drain_events()] == paths


# -- relative paths and special names ------------------------------------------------------


def test_relative_watch(client, other):
    client.watch("dev", "rel")
    client.watch("/local/domain/0/dev", "abs")
    other.write("/local/domain/0/dev/x", b"")
    assert client.drain_events() == [("dev/x", "rel"), ("/local/domain/0/dev/x", "abs")]
    other.write("dev", b"")
    assert client.drain_events() == [("dev", "rel"), ("/local/domain/0/dev", "abs")]
    other.write("/local/domain/1/dev", b"")
    assert client.drain_events() == []
    other.rm("/local")
    assert client.drain_events() == [("dev", "rel"), ("/local/domain/0/dev", "abs")]


def test_special_and_tree_do_not_mix(client, other):
    client.watch("/", "root")
    client.watch("@releaseDomain", "rel")
    client.watch("@introduceDomain", "intro")
    other.write("/releaseDomain", b"")
    other.write("@x".replace("@", "/@"), b"")
    assert client.drain_events() == [("/releaseDomain", "root"), ("/@x", "root")]
    other.set_perms("@releaseDomain", ["n0"])
    assert client.drain_events() == [("@releaseDomain", "rel")]
    other.set_perms("@introduceDomain", ["n0"])
    assert client.drain_events() == [("@introduceDomain", "intro")]


# -- order against replies -----------------------------------------------------------------


def test_own_events_come_before_the_reply(client):
    client.mkdir("/a")
    client.watch("/a", "t")
    tx = client.transaction_start()
    client.write("/a/tx", b"", tx)
    for mtype, payload, txid in (
        (Type.WRITE, strings("/a") + b"1", 0),
        (Type.MKDIR, strings("/a/b"), 0),
        (Type.SET_PERMS, strings("/a/b", "r0"), 0),
        (Type.RM, strings("/a/b"), 0),
        (Type.TRANSACTION_END, b"T\0", tx),
    ):
        start = len(client.log)
        client.request(mtype, payload, txid)
        assert kinds(client, start) == "ER", mtype.name
    client.events.clear()


def test_pipelined_requests_and_events_interleave_exactly(client):
    client.watch("/a", "t")
    start = len(client.log)
    client.pipeline_ok((Type.WRITE, strings(f"/a/{n}")) for n in range(200))
    assert kinds(client, start) == "ER" * 200
    assert [e.path for e in client.events] == [f"/a/{n}" for n in range(200)]


def test_no_event_after_the_answer_of_the_change(client, other):
    # What happened before somebody's reply is in everybody's queue before it.
    client.watch("/", "t")
    for n in range(100):
        other.write("/a", b"%d" % n)
        assert client.drain_events() == [("/a", "t")]


# -- duplicates and oversize ---------------------------------------------------------------


def test_identical_queued_events_are_merged(client, other):
    # The watcher does not read: what its socket cannot take is queued in the daemon.
    path = "/" + "p" * 1500
    token = "t" * 2000
    client.watch(path, token)
    count = 2000
    other.pipeline_ok((Type.WRITE, strings(path) + b"%d" % n) for n in range(count))
    events = client.drain_events()
    assert set(events) == {(path, token)}
    assert 1 <= len(events) < count
    # None of them was lost in a way that matters: a change after the last one is told.
    other.write(path, b"last")
    assert client.drain_events() == [(path, token)]


def test_other_messages_between_duplicates_do_not_matter(client, other):
    pad = "p" * 1500
    names = [f"/w/{pad}{n}" for n in range(300)]
    client.watch("/w", "t")
    for _ in range(4):
        other.pipeline_ok((Type.WRITE, strings(name)) for name in names)
    events = [e.path for e in client.drain_events()]
    assert len(events) < 4 * len(names)
    assert set(events) == set(names)
    # First occurrences are in the order of the changes.
    assert list(dict.fromkeys(events)) == names


def test_events_that_differ_are_all_kept(client, other):
    pad = "p" * 1000
    client.watch("/w", "a")
    client.watch("/w", "b")
    names = [f"/w/{pad}{n}" for n in range(1500)]
    other.pipeline_ok((Type.WRITE, strings(name)) for name in names)
    expected = [(name, token) for name in names for token in "ab"]
    assert client.drain_events() == expected


def test_special_events_are_never_merged(client, other):
    token = "t" * 2000
    client.watch("@releaseDomain", token)
    count = 1000
    other.pipeline_ok([(Type.SET_PERMS, strings("@releaseDomain", "n0"))] * count)
    assert client.drain_events() == [("@releaseDomain", token)] * count


def test_xsa_324_oversize_events_are_not_sent(client, other):
    token = "t" * 4000
    client.watch("/", token)
    limit = 4096 - len(token) - 2
    other.write("/" + "x" * (limit - 1), b"")
    assert client.drain_events() == [("/" + "x" * (limit - 1), token)]
    other.write("/" + "x" * limit, b"")
    other.write("/" + "x" * 2000, b"")
    other.write("/short", b"")
    assert client.drain_events() == [("/short", token)]
    tx = other.transaction_start()
    other.write("/" + "y" * 2000, b"", tx)
    other.write("/short", b"", tx)
    other.transaction_end(tx)
    assert client.drain_events() == [("/short", token)]
    other.rm("/" + "x" * 2000)
    assert client.drain_events() == []


def test_the_largest_watch(client, other):
    token = "t" * (4096 - len("/a\0\0"))
    client.watch("/a", token)
    other.write("/a", b"")
    assert client.drain_events() == [("/a", token)]
    other.write("/a/b", b"")
    assert client.drain_events() == []
    client.unwatch("/a", token)


# -- many ----------------------------------------------------------------------------------


def test_many_watches_on_one_connection(client, other):
    count = 5000
    client.pipeline_ok((Type.WATCH, strings(f"/w/{n}", n)) for n in range(count))
    assert client.drain_events() == [(f"/w/{n}", str(n)) for n in range(count)]
    other.write("/w/4321/x", b"")
    assert client.drain_events() == [("/w/4321/x", "4321")]
    client.pipeline_ok((Type.UNWATCH, strings(f"/w/{n}", n)) for n in range(0, count, 2))
    for n in range(4000, 4010):
        other.write(f"/w/{n}", b"")
    assert [e.token for e in client.drain_events()] == ["4001", "4003", "4005", "4007", "4009"]


def test_many_watches_on_one_path(client, other):
    count = 2000
    client.pipeline_ok((Type.WATCH, strings("/w", n)) for n in range(count))
    client.drain_events()
    other.write("/w", b"")
    assert [e.token for e in client.drain_events()] == [str(n) for n in range(count)]


def test_deep_watches_die_with_their_connection(daemon, client, other):
    victim = daemon.connect()
    for n in range(200):
        victim.watch("/d" * (n + 1), "t")
    victim.close()
    client.write("/d" * 200, b"")
    other.watch("/d", "t")
    client.rm("/d")
    assert other.drain_events() == [("/d", "t")]
