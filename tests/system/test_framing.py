# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages on the byte stream: every cut, pipelining, oversize, unknown types, all closes.

spec: protocol.md sections 1, 3 and 9.
"""

import select
import socket
import struct
import time

import pytest

from tests.lib import xswire
from tests.lib.xswire import ConnectionClosed, Type, XsError, message, strings

OVERSIZE = [4097, 4112, 0xFFFF, 0x10000, 0x40000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF]


def conversation():
    """Requests of several sizes whose answers are known."""
    return [
        (message(Type.WRITE, b"/cut\0value", req=1), b"OK\0"),
        (message(Type.READ, b"/cut\0", req=0xFFFFFFFF), b"value"),
        (message(Type.WRITE, b"/cut\0", req=3), b"OK\0"),
        (message(Type.READ, b"/cut\0", req=4), b""),
        (message(Type.GET_FEATURE, b"", req=5), b"14\0"),
        (message(Type.RM, b"/cut\0", req=6), b"OK\0"),
    ]


def check_conversation(client):
    for sent, expected in conversation():
        mtype, req, tx, _ = xswire.HEADER.unpack_from(sent)
        reply = client.recv_reply()
        assert (reply.type, reply.req_id, reply.tx_id) == (mtype, req, tx)
        assert reply.payload == expected


def test_every_cut_in_two(shared):
    data = b"".join(sent for sent, _ in conversation())
    with shared.connect() as client:
        for cut in range(len(data) + 1):
            client.send_raw(data[:cut])
            client.send_raw(data[cut:])
            check_conversation(client)


def test_every_cut_in_two_seen_by_the_daemon(shared):
    # A second client's round trip between the halves makes sure that the daemon met the cut.
    data = b"".join(sent for sent, _ in conversation()[:2])
    with shared.connect() as client, shared.connect() as beside:
        for cut in range(1, len(data)):
            client.send_raw(data[:cut])
            beside.sync()
            client.send_raw(data[cut:])
            for expected in (b"OK\0", b"value"):
                assert client.recv_reply().payload == expected


@pytest.mark.parametrize("step", [1, 2, 3, 7, 15, 16, 17])
def test_small_pieces(sc, step):
    sc.send_slowly(b"".join(sent for sent, _ in conversation()), step)
    check_conversation(sc)


def test_one_byte_at_a_time_with_pauses(shared):
    data = b"".join(sent for sent, _ in conversation()[:2])
    with shared.connect() as client, shared.connect() as beside:
        for pos in range(len(data)):
            client.send_raw(data[pos : pos + 1])
            beside.sync()
        assert [client.recv_reply().payload for _ in range(2)] == [b"OK\0", b"value"]


def test_pipelining_keeps_order(sc):
    count = 5000
    replies = sc.pipeline((Type.GET_DOMAIN_PATH, strings(n % 65536)) for n in range(count))
    assert [r.payload for r in replies] == [b"/local/domain/%d\0" % n for n in range(count)]


def test_pipelining_of_large_messages(client):
    value = bytes(range(256)) * 15
    requests = []
    for n in range(300):
        requests.append((Type.WRITE, strings(f"/big/{n}") + value + b"%d" % n))
        requests.append((Type.READ, strings(f"/big/{n}")))
    replies = client.pipeline(requests)
    for n in range(300):
        assert replies[2 * n].payload == b"OK\0"
        assert replies[2 * n + 1].payload == value + b"%d" % n


def test_request_and_transaction_ids_are_echoed(client):
    tx = client.transaction_start()
    for req in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        for txid in (0, tx):
            reply = client.exchange(Type.DIRECTORY, b"/\0", txid, req)
            assert (reply.type, reply.req_id, reply.tx_id) == (Type.DIRECTORY, req, txid)


def test_an_error_echoes_ids_too(client):
    tx = client.transaction_start()
    for txid in (0, tx, 77):
        reply = client.exchange(Type.READ, b"/missing\0", txid, 0xDEADBEEF)
        assert reply == (Type.ERROR, 0xDEADBEEF, txid, b"ENOENT\0")


@pytest.mark.parametrize("length", OVERSIZE)
@pytest.mark.parametrize("mtype", [Type.WRITE, Type.READ, 0xFFFF])
def test_oversize_closes_at_once_without_reply(shared, length, mtype):
    # XSA-420 is about lengths that are negative as 32-bit numbers.
    with shared.connect() as client, shared.connect() as beside:
        client.send_raw(message(mtype, b"", length=length))
        assert client.wait_closed() == []
        beside.sync()


def test_oversize_is_noticed_with_the_16th_byte(shared):
    with shared.connect() as client, shared.connect() as beside:
        header = message(Type.WRITE, b"", length=4097)
        client.send_raw(header[:15])
        beside.sync()
        poller = select.poll()
        poller.register(client, select.POLLIN | select.POLLHUP)
        assert poller.poll(0) == []
        client.send_raw(header[15:])
        assert client.wait_closed() == []


def test_oversize_behind_other_requests_changes_nothing_after_it(shared):
    with shared.connect() as client:
        client.send_raw(
            message(Type.READ, b"/", length=4097) + message(Type.WRITE, b"/behind-oversize\0x")
        )
        client.wait_closed()
    with shared.connect() as client:
        assert not client.exists("/behind-oversize")


def test_4096_bytes_are_no_oversize(sc):
    path = strings("/full")
    value = b"v" * (4096 - len(path))
    assert sc.request(Type.WRITE, path + value).payload == b"OK\0"
    assert sc.read("/full") == value
    sc.rm("/full")


def test_a_value_of_4096_bytes_cannot_be_written_but_every_smaller_one_is_read_back(sc):
    for size in (0, 1, 2047, 2048, 2049, 4000, 4096 - 3):
        value = bytes((size + i) & 0xFF for i in range(size))
        sc.write("/v", value)
        assert sc.read("/v") == value
    sc.rm("/v")


@pytest.mark.parametrize(
    "mtype", [Type.WATCH_EVENT, Type.ERROR, Type.RESTRICT, 27, 28, 100, 0xFFFF, 0x80000000, 0xFFFFFFFF]
)
@pytest.mark.parametrize("payload", [b"", b"/\0", b"x" * 4096])
def test_unknown_types_are_enosys(sc, mtype, payload):
    reply = sc.exchange(mtype, payload, req=9)
    assert reply.error == "ENOSYS"
    sc.sync()


def test_unknown_type_comes_before_unknown_transaction(sc):
    assert sc.error_of(27, b"", tx=5) == "ENOSYS"


@pytest.mark.parametrize("mtype", [t for t in xswire.REQUESTS if t not in (Type.WATCH, Type.UNWATCH)])
@pytest.mark.parametrize("payload", [b"", b"/\0", b"\0\0\0\0"])
def test_unknown_transaction_is_enoent_before_anything_else(sc, mtype, payload):
    assert sc.error_of(mtype, payload, tx=4711) == "ENOENT"


def test_watch_and_unwatch_ignore_the_transaction_id(client):
    # XSA-115 has this as one of its items.
    reply = client.exchange(Type.WATCH, strings("/w", "t"), tx=4711)
    assert reply.payload == b"OK\0" and reply.tx_id == 4711
    assert client.wait_event() == ("/w", "t")
    assert client.exchange(Type.UNWATCH, strings("/w", "t"), tx=4711).payload == b"OK\0"


def test_a_transaction_belongs_to_its_connection(client, other):
    tx = client.transaction_start()
    assert other.error_of(Type.READ, b"/\0", tx=tx) == "ENOENT"
    client.transaction_end(tx)


EMPTY_IS_LEGAL = (Type.TRANSACTION_START, Type.RESET_WATCHES, Type.GET_FEATURE, Type.GET_QUOTA)


@pytest.mark.parametrize("mtype", [t for t in xswire.REQUESTS if t not in EMPTY_IS_LEGAL])
def test_empty_payload_is_einval(sc, mtype):
    assert sc.error_of(mtype, b"") == "EINVAL"


@pytest.mark.parametrize("mtype", [t for t in xswire.REQUESTS if t not in EMPTY_IS_LEGAL])
def test_payload_without_nul_is_einval(sc, mtype):
    for payload in (b"/", b"T", b"1", b"x" * 4096):
        assert sc.error_of(mtype, payload) == "EINVAL", payload[:20]


@pytest.mark.parametrize("mtype", xswire.REQUESTS)
def test_every_request_survives_hostile_payloads(daemon, mtype):
    payloads = [
        b"",
        b"\0",
        b"\0\0",
        b"\0" * 4096,
        b"\xff" * 4096,
        b"/\0" * 2048,
        b"1\0" * 2048,
        b"-1\0-1\0-1\0",
        b"99999999999999999999\0" * 3,
        b"/a\0" + b"\xff" * 4093,
        b"@\0\0",
        b"/" * 4095 + b"\0",
        b"n0\0n0\0n0",
        bytes(range(256)) * 16,
    ]
    client = daemon.connect()
    for payload in payloads:
        reply = client.exchange(mtype, payload)
        assert len(reply.payload) <= 4096
    # After all that the connection works, and so does the store.
    assert "tool" in client.ls("/")
    client.write("/after", b"1")
    assert client.read("/after") == b"1"


@pytest.mark.parametrize("cut", [1, 8, 15, 16, 17, 20])
def test_stalled_message_does_not_block_others(shared, cut):
    # D11: upstream waits for the payload of a header.
    request = message(Type.WRITE, b"/stalled\0value")
    with shared.connect() as stalled, shared.connect() as beside:
        stalled.send_raw(request[:cut])
        for n in range(20):
            beside.write("/beside", b"%d" % n)
            assert beside.read("/beside") == b"%d" % n
        stalled.send_raw(request[cut:])
        assert stalled.recv_reply().payload == b"OK\0"
        beside.rm("/stalled")
        beside.rm("/beside")


def wait_for_node(client, path):
    """Until the node exists."""
    client.watch(path, "wait")
    while not client.exists(path):
        client.wait_event()
    client.unwatch(path, "wait")
    client.events.clear()


def wait_for_files(daemon, client, count):
    """Until the daemon has at most `count` descriptors; the deadline is a generous one."""
    deadline = time.monotonic() + 10
    while daemon.open_files() > count and time.monotonic() < deadline:
        client.sync()
    return daemon.open_files()


def test_write_and_close_is_still_served(daemon):
    # D12: upstream drops what was sent when it sees the hang-up first.
    watcher = daemon.connect()
    watcher.sync()
    before = daemon.open_files()
    for n in range(200):
        with daemon.connect() as hasty:
            hasty.send_raw(message(Type.WRITE, b"/hasty/%d\0x" % n))
    wait_for_node(watcher, "/hasty/199")
    watcher.watch("/hasty", "all")
    deadline = time.monotonic() + 10
    while len(watcher.ls("/hasty")) < 200 and time.monotonic() < deadline:
        watcher.wait_event()
    assert sorted(watcher.ls("/hasty"), key=int) == [str(n) for n in range(200)]
    assert wait_for_files(daemon, watcher, before) == before


def test_many_requests_then_close_are_all_served(daemon):
    watcher = daemon.connect()
    watcher.watch("/last", "last")
    hasty = daemon.connect()
    data = b"".join(message(Type.WRITE, b"/many/%d\0x" % n) for n in range(500))
    hasty.send_raw(data + message(Type.WRITE, b"/last\0x"), read=False)
    hasty.close()
    assert watcher.wait_event() == ("/last", "last")
    assert len(watcher.ls_parts("/many")) == 500


def test_half_close_gets_all_answers_then_the_end(shared):
    with shared.connect() as client:
        for n in range(300):
            client.send(Type.GET_DOMAIN_PATH, strings(n))
        client.shutdown_write()
        answers = client.wait_closed()
        # Some may have been read while sending.
        assert [m.payload for m in client.log] == [b"/local/domain/%d\0" % n for n in range(300)]
        assert answers == client.log[len(client.log) - len(answers) :]


def test_half_close_in_the_middle_of_a_message(shared):
    for cut in (1, 15, 16, 20):
        with shared.connect() as client:
            client.send_raw(message(Type.GET_DOMAIN_PATH, b"1\0"))
            client.send_raw(message(Type.WRITE, b"/half\0value")[:cut])
            client.shutdown_write()
            assert [m.payload for m in client.wait_closed()] == [b"/local/domain/1\0"]
    with shared.connect() as client:
        assert not client.exists("/half")


def test_half_closed_watcher_is_dropped(daemon):
    # Nothing can ask for anything on such a connection any more; it must not stay for ever.
    other = daemon.connect()
    other.sync()
    before = daemon.open_files()
    client = daemon.connect()
    client.watch("/w", "t")
    client.shutdown_write()
    client.wait_closed()
    assert wait_for_files(daemon, other, before) == before


@pytest.mark.parametrize("cut", [0, 1, 15, 16, 17, 27, 28])
def test_abrupt_close_at_every_point(daemon, cut):
    request = message(Type.WRITE, b"/abrupt\0v")
    beside = daemon.connect()
    beside.sync()
    before = daemon.open_files()
    # Many, since what the daemon sees first, the bytes or the end, is a matter of luck.
    for how in ("read", "unread") * 20:
        client = daemon.connect()
        client.watch("/", "t")
        client.transaction_start()
        if how == "unread":
            client.send_raw(message(Type.DIRECTORY, b"/\0"), read=False)
        client.send_raw(request[:cut], read=False)
        client.close()
    assert wait_for_files(daemon, beside, before) == before
    beside.write("/still", b"alive")


def test_connect_and_close_without_a_word(daemon):
    beside = daemon.connect()
    beside.sync()
    before = daemon.open_files()
    for _ in range(300):
        daemon.connect().close()
    assert wait_for_files(daemon, beside, before) == before
    beside.write("/x", b"1")
    assert beside.read("/x") == b"1"


def test_close_while_replies_are_pending(daemon):
    beside = daemon.connect()
    beside.write("/value", b"x" * 4000)
    for _ in range(20):
        client = daemon.connect()
        try:
            client.send_raw(message(Type.READ, b"/value\0") * 500, timeout=2, read=False)
        except (xswire.Timeout, ConnectionClosed):
            pass
        client.close()
    beside.sync()
    assert beside.read("/value") == b"x" * 4000


def test_nothing_is_sent_unasked(shared):
    with shared.connect() as client, shared.connect() as beside:
        beside.write("/unasked", b"1")
        beside.rm("/unasked")
        poller = select.poll()
        poller.register(client, select.POLLIN)
        assert poller.poll(50) == []


def test_errors_do_not_disturb_the_stream(sc):
    requests = []
    for n in range(500):
        requests += [(Type.READ, b"/nope\0"), (99, b"x" * (n % 4097)), (Type.GET_DOMAIN_PATH, b"7\0")]
    replies = sc.pipeline(requests)
    assert {r.error for r in replies[0::3]} == {"ENOENT"}
    assert {r.error for r in replies[1::3]} == {"ENOSYS"}
    assert {r.payload for r in replies[2::3]} == {b"/local/domain/7\0"}


def test_a_small_receive_buffer_is_enough(daemon):
    sock = xswire.connect(daemon.socket)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    client = xswire.Client(sock=sock)
    daemon.clients.append(client)
    client.write("/v", b"y" * 4000)
    for reply in client.pipeline([(Type.READ, b"/v\0")] * 200):
        assert reply.payload == b"y" * 4000


def test_raw_header_layout(shared):
    # Written out by hand once, so that a mistake in the test library cannot hide.
    with xswire.connect(shared.socket) as sock:
        for request, answer in (
            (
                struct.pack("=IIII", 10, 0x01020304, 0, 2) + b"7\0",
                struct.pack("=IIII", 10, 0x01020304, 0, 16) + b"/local/domain/7\0",
            ),
            (
                struct.pack("=IIII", 2, 5, 0, 3) + b"/q\0",
                struct.pack("=IIII", 16, 5, 0, 7) + b"ENOENT\0",
            ),
        ):
            sock.sendall(request)
            assert sock.recv(len(answer), socket.MSG_WAITALL) == answer


def test_xserror_is_raised_for_errors(sc):
    with pytest.raises(XsError) as caught:
        sc.read("/nope")
    assert caught.value.name == "ENOENT"
