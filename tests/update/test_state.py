# SPDX-License-Identifier: GPL-2.0-or-later
"""What socket clients have and hold survives an update of the daemon."""

import fcntl
import os
import select

import pytest

from tests.lib.xswire import HEADER, Type, message, strings
from tests.update.live import DEADLINE, Live, children_of, descriptors, tree, wait_for

ALL_BYTES = bytes(range(256))


# -- the store ------------------------------------------------------------------------------

def test_values_of_every_length_and_byte(daemon, client):
    values = {f"/v/{n}": (ALL_BYTES * 17)[:n] for n in (0, 1, 7, 8, 9, 255, 256, 2048, 4000)}
    values["/v/x"] = ALL_BYTES * 15 + b"\0" * 248
    for path, value in values.items():
        client.write(path, value)
    longest = 4096 - len("/v/max") - 1
    client.write("/v/max", b"m" * longest)
    daemon.updated()
    for path, value in values.items():
        assert client.read(path) == value
    assert client.read("/v/max") == b"m" * longest


def test_order_of_children(daemon, client):
    names = [f"n{i * 7919 % 300:03}" for i in range(300)]
    for name in names:
        client.write(f"/d/{name}", b"")
    for name in names[5:250:3]:
        client.rm(f"/d/{name}")
    client.write(f"/d/{names[8]}", b"again")
    before = client.ls("/d")
    assert before[-1] == names[8] and before != sorted(before)
    daemon.updated(times=2)
    assert client.ls("/d") == before
    client.mkdir("/d/last")
    assert client.ls("/d") == before + ["last"]


def test_a_path_of_a_thousand_levels(daemon, client):
    deep = "/" + "/".join("d" * 1 for _ in range(1000))
    client.write(deep, b"bottom")
    daemon.updated()
    assert client.read(deep) == b"bottom"
    client.rm("/d")
    assert not client.exists("/d")


def test_permissions_and_special_nodes(daemon, client):
    client.write("/p/a", b"")
    client.set_perms("/p/a", ["n0", "r0", "w0", "b0"])
    client.set_perms("/", ["r0", "b0"])
    client.write("/", b"value of the root")
    client.set_perms("@releaseDomain", ["n0", "r0"])
    client.set_perms("@introduceDomain", ["r0"])
    before = tree(client)
    specials = [client.get_perms(name) for name in ("@releaseDomain", "@introduceDomain")]
    daemon.updated()
    assert tree(client) == before
    assert [client.get_perms(n) for n in ("@releaseDomain", "@introduceDomain")] == specials


def test_entries_of_domains_that_are_not_there(daemon, client):
    client.write("/p", b"")
    for perms in (["n0", "r77"], ["n0", "r77", "b78", "w77"], ["n77", "r78"]):
        if client.error_of(Type.SET_PERMS, strings("/p", *perms)):
            continue
        before = client.get_perms("/p")
        daemon.updated()
        assert client.get_perms("/p") == before


def test_check_and_counts_are_as_before(daemon, client, other):
    for i in range(50):
        client.write(f"/x/{i}/y", b"v" * i)
    client.watch("/x", "token")
    other.watch("@releaseDomain", "t", depth=1)
    tx = other.transaction_start()
    other.write("/x/1/tx", b"1", tx)
    other.rm("/x/2", tx)

    def numbers():
        return [line.split("(")[0] for line in client.control("quota", "0").splitlines()]

    before, settings, check = numbers(), client.control("quota"), client.control("check")
    daemon.updated(times=3)
    assert (numbers(), client.control("quota"), client.control("check")) == \
        (before, settings, check)
    assert other.commit(tx)


def test_directory_parts_go_on_or_begin_again(daemon, client):
    names = [f"child-{i:04}-{'x' * 20}" for i in range(600)]
    for name in names:
        client.mkdir(f"/big/{name}")
    generation, first, end = client.directory_part("/big")
    assert not end
    client.rm(f"/big/{names[0]}")
    daemon.updated()
    again, _, _ = client.directory_part("/big", len(first))
    assert again != generation, "the listing has changed, but its generation has not"
    assert client.ls_parts("/big") == names[1:]


def test_generations_are_never_used_again(daemon, client):
    client.mkdir("/big/a")
    seen = set()
    for i in range(6):
        client.mkdir(f"/big/{i}")
        generation, data, _ = client.directory_part("/big")
        assert (generation, data) not in seen and generation not in {g for g, _ in seen}
        seen.add((generation, data))
        if i % 2:
            daemon.updated()


# -- watches and events ---------------------------------------------------------------------

def test_watches(daemon, client, other):
    client.watch("/w", "plain")
    client.watch("/w", "second")
    client.watch("/w", "one", depth=1)
    client.watch("/w", "self", depth=0)
    client.watch("rel", "relative")
    client.watch("@releaseDomain", "special")
    daemon.updated(times=2)
    assert not client.drain_events(), "an update is no change"
    other.write("/w/x/y", b"")
    other.write("/w/x", b"")
    other.write("/w", b"")
    other.write("/local/domain/0/rel/z", b"")
    events = client.drain_events()
    assert sorted(events) == sorted([
        ("/w/x/y", "plain"), ("/w/x/y", "second"),
        ("/w/x", "plain"), ("/w/x", "second"), ("/w/x", "one"),
        ("/w", "plain"), ("/w", "second"), ("/w", "one"), ("/w", "self"),
        ("rel/z", "relative")])
    for path, token in (("/w", "plain"), ("rel", "relative"), ("@releaseDomain", "special")):
        client.unwatch(path, token)
        assert client.error_of(Type.UNWATCH, strings(path, token)) == "ENOENT"
    assert client.error_of(Type.WATCH, strings("/w", "second")) == "EEXIST"
    client.reset_watches()
    other.write("/w", b"")
    assert not client.drain_events()


@pytest.mark.parametrize("length", range(1, 20))
def test_watches_with_a_depth_whatever_their_length(daemon, client, other, length):
    """The length of the record is where others went wrong."""
    client.watch("/w", "t" * length, depth=1)
    client.watch("/w/" + "p" * length, "self", depth=0)
    daemon.updated()
    other.write("/w/a/b", b"")
    other.write("/w/a", b"")
    other.write("/w/" + "p" * length, b"")
    assert client.drain_events() == [
        ("/w/a", "t" * length), ("/w/" + "p" * length, "t" * length), ("/w/" + "p" * length, "self")]


def test_events_in_order_across_updates(daemon, client, other):
    client.watch("/e", "t")
    expected = []
    for i in range(60):
        other.write(f"/e/{i}", b"")
        expected.append((f"/e/{i}", "t"))
        if i % 20 == 10:
            daemon.updated()
    assert client.drain_events() == expected


def test_replies_and_events_of_a_slow_reader(daemon, client, other):
    client.write("/slow", b"s" * 4000)
    client.watch("/ev", "t")
    sent = []
    for i in range(300):
        req = client.new_req()
        client.send_raw(message(Type.READ, b"/slow\0", 0, req), read=False)
        sent.append(req)
        other.write(f"/ev/{i}", b"")
    daemon.updated()
    other.write("/ev/last", b"")
    daemon.updated()
    replies = [client.recv_reply() for _ in sent]
    assert [r.req_id for r in replies] == sent
    assert all(r.payload == b"s" * 4000 for r in replies)
    assert client.drain_events() == [(f"/ev/{i}", "t") for i in range(300)] + [("/ev/last", "t")]


def test_half_read_replies(daemon, other):
    """The buffer ends somewhere in a message; with every update it is somewhere else."""
    other.write("/slow", b"r" * 3001)
    client = daemon.connect(DEADLINE)
    ids = []
    for _ in range(400):
        req = client.new_req()
        client.send_raw(message(Type.READ, b"/slow\0", 0, req), read=False)
        ids.append(req)
    data = b""
    for step in (1, 5, 16, 17, 1000, 4096, 50000, 3):
        daemon.updated()
        while step:
            part = client.sock.recv(step) if select.select([client.sock], [], [], 5)[0] else b""
            assert part
            data += part
            step -= len(part)
    while len(data) < 400 * (16 + 3001):
        data += client.recv_raw()
    for i, req in enumerate(ids):
        head = data[i * 3017:i * 3017 + 16]
        assert HEADER.unpack(head) == (Type.READ, req, 0, 3001)
        assert data[i * 3017 + 16:(i + 1) * 3017] == b"r" * 3001
    client.sync()


# -- requests ---------------------------------------------------------------------------------

def test_half_sent_requests_at_every_cut(daemon, client):
    clients = []
    whole = message(Type.WRITE, strings("/half") + b"value", 0, 77)
    for cut in range(len(whole)):
        one = daemon.connect(DEADLINE)
        path = b"/half/%d" % cut
        request = message(Type.WRITE, path + b"\0value", 0, cut + 1)
        at = min(cut, len(request) - 1)
        one.send_raw(request[:at])
        clients.append((one, request[at:], cut + 1, path))
    client.sync()
    daemon.updated()
    for one, rest, req, path in clients:
        half = len(rest) // 2
        one.send_raw(rest[:half])
    client.sync()
    daemon.updated()
    for one, rest, req, path in clients:
        one.send_raw(rest[len(rest) // 2:])
        reply = one.recv_reply()
        assert (reply.type, reply.req_id, reply.payload) == (Type.WRITE, req, b"OK\0")
        assert client.read(path) == b"value"


def test_a_large_half_sent_request(daemon, client):
    request = message(Type.WRITE, b"/large\0" + b"L" * 4089, 0, 5)
    for cut in (16, 17, 2000, len(request) - 1):
        client.send_raw(request[:cut])
        daemon.updated()
        client.send_raw(request[cut:])
        assert client.recv_reply().payload == b"OK\0"
        assert client.read("/large") == b"L" * 4089
        client.rm("/large")


def test_many_requests_in_flight(daemon, client, other):
    """A pipeline of numbered writes is cut by an update somewhere: all are done, in order."""
    client.write("/n", b"0")
    update = daemon.request_update(other)
    replies = client.pipeline([(Type.WRITE, b"/n\0" + b"%d" % i) if i % 2 else (Type.READ, b"/n\0")
                               for i in range(1, 3001)])
    assert [r.payload for r in replies] == \
        [b"OK\0" if i % 2 else b"%d" % (i - 1) for i in range(1, 3001)]
    assert other.recv_reply().req_id == update


def test_a_peer_that_has_finished_sending(daemon, client):
    late = daemon.connect(DEADLINE)
    late.send_raw(b"".join(message(Type.WRITE, b"/late\0%d" % i, 0, i) for i in range(5)))
    late.shutdown_write()
    daemon.updated()
    assert [m.req_id for m in late.wait_closed()] == list(range(5))
    assert client.read("/late") == b"4"


def test_connections_that_wait_at_the_door(daemon, client):
    waiting = [daemon.connect(DEADLINE) for _ in range(60)]
    for i, one in enumerate(waiting):
        one.send(Type.WRITE, b"/door/%d\0x" % i)
    daemon.updated()
    for one in waiting:
        assert one.recv_reply().payload == b"OK\0"
    assert len(client.ls("/door")) == 60


def test_a_connection_that_closes_meanwhile(daemon, client):
    others = [daemon.connect(DEADLINE) for _ in range(30)]
    for one in others:
        one.watch("/c", "t")
    before = len(descriptors(daemon.pid))
    client.control("live-update", "-f", daemon.command[0])
    req = client.send(Type.CONTROL, strings("live-update", "-s"))
    for one in others[::2]:
        one.close()
    assert client.recv_reply().req_id == req
    wait_for(lambda: len(descriptors(daemon.pid)) <= before - 15, "closed connections to go")
    client.write("/c", b"")
    for one in others[1::2]:
        assert one.wait_event() == ("/c", "t")


# -- transactions -----------------------------------------------------------------------------

def test_reads_see_the_state_of_the_start(daemon, client, other):
    client.write("/t/a", b"1")
    idle, used = client.transaction_start(), client.transaction_start()
    assert client.read("/t/a", used) == b"1"
    other.write("/t/a", b"2")
    other.write("/t/new", b"")
    other.rm("/t/new")
    other.write("/t/b", b"")
    daemon.updated()
    for tx in (idle, used):
        assert client.read("/t/a", tx) == b"1"
        assert client.ls("/t", tx) == ["a"]
    daemon.updated()
    for tx in (idle, used):
        assert client.read("/t/a", tx) == b"1"
        client.write("/t/mine", b"x", tx)
    assert client.read("/t/a") == b"2"
    assert not client.commit(used)


@pytest.mark.parametrize("how, conflict", [
    ("value", True), ("same value", False), ("other node", False), ("child", False),
    ("removed", True), ("perms", False), ("nothing", False)])
def test_conflicts(daemon, client, other, how, conflict):
    """As without an update: before it and after it something else happens."""
    for when in ("before", "after"):
        client.write("/t/a", b"1")
        tx = client.transaction_start()
        assert client.read("/t/a", tx) == b"1"
        client.write("/t/out", when.encode(), tx)
        if when == "after":
            daemon.updated()
        {"value": lambda: other.write("/t/a", b"2"),
         "same value": lambda: other.write("/t/a", b"1"),
         "other node": lambda: other.write("/t/z", b"1"),
         "child": lambda: other.write("/t/a/b", b"1"),
         "removed": lambda: other.rm("/t/a"),
         "perms": lambda: other.set_perms("/t/a", ["r0"]),
         "nothing": lambda: None}[how]()
        if when == "before":
            daemon.updated()
        assert client.commit(tx) is not conflict, when
        assert client.exists("/t/out") is not conflict
        if client.exists("/t/out"):
            client.rm("/t/out")


def test_several_clients_with_several_transactions(daemon):
    clients = [daemon.connect(DEADLINE) for _ in range(8)]
    clients[0].mkdir("/t")
    open_ones = []
    for number, one in enumerate(clients):
        for k in range(4):
            tx = one.transaction_start()
            one.write(f"/t/{number}-{k}", b"v", tx)
            one.mkdir(f"/t/{number}-{k}/sub/deep", tx)
            open_ones.append((one, tx, f"/t/{number}-{k}"))
    daemon.updated()
    for one, tx, path in open_ones:
        assert one.read(path, tx) == b"v"
        one.rm(path + "/sub", tx)
        assert one.ls(path, tx) == []
    daemon.updated()
    assert all(one.commit(tx) for one, tx, _ in open_ones)
    assert clients[0].ls("/t") == [path[3:] for _, _, path in open_ones]


def test_order_of_children_inside(daemon, client, other):
    for name in "abcdef":
        client.mkdir(f"/o/{name}/1/x")
        client.mkdir(f"/o/{name}/2")
    tx = client.transaction_start()
    for path in ("/o/a", "/o/d", "/o/c/1", "/o/e/2"):
        other.rm(path)
    other.mkdir("/o/a")
    other.mkdir("/o/new")
    other.mkdir("/o/c/1")
    client.mkdir("/o/mine", tx)
    for _ in range(2):
        daemon.updated()
        assert client.ls("/o", tx) == [*"abcdef", "mine"]
        for name in "abcdef":
            assert client.ls(f"/o/{name}", tx) == ["1", "2"]
            assert client.ls(f"/o/{name}/1", tx) == ["x"]
        assert client.ls("/o") == ["b", "c", "e", "f", "a", "new"]


def test_transaction_ids(daemon, client, other):
    first = client.transaction_start()
    second = client.transaction_start()
    client.transaction_end(first, False)
    daemon.updated()
    third = client.transaction_start()
    assert len({first, second, third}) == 3, "an id is not used again"
    assert client.error_of(Type.READ, b"/\0", first) == "ENOENT"
    assert other.error_of(Type.READ, b"/\0", second) == "ENOENT"
    assert client.commit(second) and client.commit(third)


def test_abort_after_an_update(daemon, client):
    tx = client.transaction_start()
    client.write("/gone", b"", tx)
    daemon.updated()
    client.transaction_end(tx, False)
    assert not client.exists("/gone")
    assert client.error_of(Type.READ, b"/\0", tx) == "ENOENT"


def test_events_of_a_commit_come_after_it(daemon, client, other):
    other.watch("/t", "w")
    client.mkdir("/t/old/below")
    other.drain_events()
    tx = client.transaction_start()
    client.write("/t/a", b"", tx)
    client.rm("/t/old", tx)
    daemon.updated()
    assert not other.drain_events()
    assert client.commit(tx)
    assert sorted(set(other.drain_events())) == [("/t/a", "w"), ("/t/old", "w")]


def test_a_transaction_over_many_nodes(daemon, client, other):
    for i in range(500):
        client.write(f"/m/{i}", b"%d" % i)
    tx = client.transaction_start()
    for i in range(0, 500, 3):
        client.write(f"/m/{i}", b"new", tx)
    for i in range(1, 500, 3):
        client.rm(f"/m/{i}", tx)
    other.write("/unrelated", b"")
    daemon.updated(times=2)
    assert client.commit(tx)
    assert client.ls("/m") == [str(i) for i in range(500) if i % 3 != 1]
    assert client.read("/m/3") == b"new" and client.read("/m/2") == b"2"


# -- settings and the process -------------------------------------------------------------------

def test_quotas_set_at_run_time(daemon, client):
    client.control("quota", "set", "nodes", "1234")
    client.control("quota", "set", "watches", "77")
    before = client.control("quota")
    assert "1234" in before and "77" in before
    daemon.updated(times=2)
    assert client.control("quota") == before


def test_pid_and_its_file(daemon, client):
    pid = daemon.pid
    daemon.updated(times=3)
    assert daemon.process.poll() is None and daemon.current() == pid
    with open(daemon.pid_file, "r+b") as file:
        with pytest.raises(OSError):
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_socket_stays_where_it_is(daemon, client):
    before = os.stat(daemon.socket)
    daemon.updated(times=2)
    after = os.stat(daemon.socket)
    assert (before.st_ino, before.st_dev, before.st_mode, before.st_uid) == \
        (after.st_ino, after.st_dev, after.st_mode, after.st_uid)
    assert daemon.connect().get_domain_path(0) == "/local/domain/0"


def test_the_trace_goes_on(tmp_path):
    trace = tmp_path / "trace"
    with Live("-T", str(trace), "--log-control=-all", "--log-control=+io") as daemon:
        client = daemon.connect(DEADLINE)
        client.write("/before", b"")
        daemon.updated()
        client.write("/after", b"")
        text = trace.read_text()
        assert text.index("/before") < text.index("/after")


def test_log_settings_made_at_run_time(daemon, client, tmp_path):
    trace = tmp_path / "trace"
    client.control("logfile", str(trace))
    client.control("log", "+io")
    before = client.control("log")
    client.write("/before", b"")
    daemon.updated()
    assert client.control("log") == before
    client.write("/after", b"")
    text = trace.read_text()
    assert text.index("/before") < text.index("/after")


def test_nothing_leaks_in_twenty_updates(daemon, client, other):
    client.watch("/x", "t")
    tx = other.transaction_start()
    other.write("/x", b"", tx)
    client.write("/y", b"v" * 1000)
    asker = daemon.connect()  # no other connection comes or goes
    daemon.updated(client=asker)
    before = descriptors(daemon.pid)
    children = os.listdir(f"/proc/{daemon.pid}/task")
    environment = open(f"/proc/{daemon.pid}/environ", "rb").read().count(b"\0")
    daemon.updated(times=20, client=asker)
    after = descriptors(daemon.pid)
    kinds = [sorted(v.split(":")[0] for v in d.values()) for d in (before, after)]
    assert kinds[0] == kinds[1]
    assert os.listdir(f"/proc/{daemon.pid}/task") == children
    with open(f"/proc/{daemon.pid}/environ", "rb") as file:
        assert file.read().count(b"\0") <= environment + 1
    wait_for(lambda: not children_of(daemon.pid), "the last guard to be gone")
    assert other.commit(tx)
    assert client.drain_events() == [("/x", "t")]


def test_nothing_is_left_behind(daemon, client):
    before = sorted(os.listdir(daemon.rundir))
    daemon.updated(times=2)
    assert sorted(os.listdir(daemon.rundir)) == before


def test_two_updates_at_once(daemon, client, other):
    """The second asker is told that there is one, or comes after it."""
    assert client.control("live-update", "-f", daemon.command[0]) == "OK"
    req = client.send(Type.CONTROL, strings("live-update", "-s"))
    answer = other.control("live-update", "-f", daemon.command[0])
    assert answer in ("OK", "live-update session already active.")
    reply = client.recv_reply()
    assert (reply.req_id, reply.payload) == (req, b"OK\0")
    if answer == "OK":
        assert other.control("live-update", "-s") == "OK"


def test_transactions_share_their_trees_as_before(daemon, client, other, tmp_path):
    """Many are open while much is changed; what they hold is no more after an update."""
    for i in range(200):
        client.write(f"/many/{i}", bytes(500))
    open_ones = []
    for i in range(80):
        open_ones.append(other.transaction_start())
        for k in range(20):
            client.write(f"/many/{(i * 20 + k) % 200}", bytes([i]) * 500)

    def held(name):
        report = tmp_path / name
        assert client.control("memreport", str(report)) == "OK"
        line, = [l for l in report.read_text().splitlines() if l.startswith("snapshots")]
        return int(line.split()[1])

    before = held("before")
    daemon.updated(times=2)
    assert held("after") < 2 * before
    for i, tx in enumerate(open_ones):
        # What it sees is what there was when it started: (i - 1) was the last to write.
        last = (i * 20 - 1) % 200
        assert other.read(f"/many/{last}", tx) == (bytes([i - 1]) * 500 if i else bytes(500))
        other.write(f"/mine/{i}", b"1", tx)
    assert other.commit(open_ones[-1]) and not other.commit(open_ones[0])
