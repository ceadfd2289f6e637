# SPDX-License-Identifier: GPL-2.0-or-later
"""One domain moves from one running store into another, where it has another number."""

import os
import random
import struct
import subprocess

import pytest

from tests.lib.daemon import clean_environment
from tests.lib.xswire import Type, message, strings
from tests.update.live import DEADLINE, wait_for
from tests.update.onhost import HostLive
from tests.image import image as stream

COUNT = int(os.environ.get("COUNT", "1"))


@pytest.fixture
def source():
    with HostLive() as daemon:
        yield daemon


@pytest.fixture
def target():
    with HostLive() as daemon:
        # So that numbers differ.
        for _ in range(3):
            daemon.host.create()
        yield daemon


def tool(*args, socket="/nowhere", status=0):
    done = subprocess.run([stream.PROGRAM, *map(str, args)], timeout=DEADLINE, check=False,
                          env=clean_environment(XENSTORED_PATH=socket), capture_output=True)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done


def extract(daemon, domid, out, *more, **how):
    return tool("extract", "-o", out, domid, *more, socket=daemon.socket, **how)


def insert(daemon, domid, file, *options, **how):
    return tool("insert", *options, domid, file, socket=daemon.socket, **how)


class Ring:
    """A guest that plays its ring by hand."""

    def __init__(self, host, domid):
        self.host, self.domid = host, domid

    def do(self, *words):
        done = self.host.misbehave(self.domid, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def send(self, *requests):
        """Whole messages, or pieces of them."""
        self.do(*(f"hex:{piece.hex()}" for piece in requests), "notify")

    def take(self):
        """[(type, req_id, tx_id, payload)] of what has been answered."""
        data = bytes.fromhex(self.do("take").strip())
        found = []
        while data:
            kind, req, tx, length = struct.unpack_from("=IIII", data)
            found.append((kind, req, tx, data[16:16 + length]))
            assert len(data) >= 16 + length
            data = data[16 + length:]
        return found


def request(kind, payload, req, tx=0):
    return message(kind, payload, tx, req)


def test_a_guest_goes_on_elsewhere(source, target, tmp_path):
    old = source.host.create("--bare")
    root = source.connect(DEADLINE)
    home = f"/local/domain/{old}"
    root.write(f"{home}/name", b"wanderer")
    root.set_perms(home, ["n0", f"r{old}"])
    root.write(f"{home}/data", b"")
    root.set_perms(f"{home}/data", [f"n{old}", "r0"])
    root.write("/elsewhere/a/b", b"own")
    root.set_perms("/elsewhere/a/b", [f"n{old}"])
    root.introduce(old, 1, 1)
    guest = Ring(source.host, old)
    guest.send(request(Type.WATCH, b"data\0token\0", 1),
               request(Type.WATCH, strings(f"{home}/data/x", "absolute"), 2),
               request(Type.TRANSACTION_START, b"\0", 3))
    root.sync()
    answers = guest.take()
    assert [a[1] for a in answers if a[0] != Type.WATCH_EVENT] == [1, 2, 3]
    tx = int(answers[-1][3][:-1])
    guest.send(request(Type.WRITE, b"data/in-tx\0" b"1", 4, tx))
    for name in ("z", "a", "m"):
        root.write(f"{home}/data/{name}", name.encode())
        root.set_perms(f"{home}/data/{name}", [f"n{old}"])
    # The ring stays full of what the guest has not read; half a request is on its way.
    half = request(Type.WRITE, b"data/half\0sent", 5)
    guest.send(half[:21])
    root.sync()
    before = {path: root.read(f"{home}/{path}") for path in ("name", "data/z", "data/a", "data/m")}

    page, file = tmp_path / "page", tmp_path / "fragment"
    extract(source, old, file)
    guest.do(f"save:{page}")
    assert b"consistent" in tool("check", file).stdout

    new = target.host.create("--bare")
    assert new != old
    moved = Ring(target.host, new)
    moved.do(f"load:{page}")
    there = target.connect(DEADLINE)
    there.watch("@introduceDomain", "in")
    there.watch("/elsewhere", "made")
    insert(target, new, file, "--port", 1)
    assert set(there.drain_events()) == {("@introduceDomain", "in"),
                                         ("/elsewhere/a", "made"), ("/elsewhere/a/b", "made")}
    here = f"/local/domain/{new}"
    assert {path: there.read(f"{here}/{path}") for path in before} == before
    assert there.get_perms(here) == ["n0", f"r{new}"]
    assert there.get_perms(f"{here}/data") == [f"n{new}", "r0"]
    assert there.ls(f"{here}/data") == ["z", "a", "m"]
    assert there.get_perms("/elsewhere/a/b") == [f"n{new}"]
    assert there.get_perms("/elsewhere/a") == ["n0"]
    assert there.is_introduced(new)
    there.control("check")

    # What was waiting in the ring is read there, the events of the old host among it.
    seen = moved.take()
    assert (Type.WRITE, 4, tx, b"OK\0") in seen
    assert [a[3] for a in seen if a[0] == Type.WATCH_EVENT] == \
        [strings(f"data/{name}", "token") for name in ("z", "a", "m") for _ in (0, 1)]
    moved.send(half[21:])
    there.sync()
    assert (Type.WRITE, 5, 0, b"OK\0") in moved.take()
    assert there.read(f"{here}/data/half") == b"sent"
    # The open transaction is one that somebody disturbed.
    moved.send(request(Type.TRANSACTION_END, b"T\0", 6, tx))
    there.sync()
    assert moved.take() == [(Type.ERROR, 6, tx, b"EAGAIN\0")]
    # Watches see what happens here, under the tokens of there.
    there.write(f"{here}/data/x", b"")
    events = moved.take()
    assert sorted(a[3] for a in events) == sorted([strings("data/x", "token"),
                                                   strings(f"{here}/data/x", "absolute")])
    # And it ends as any other domain.
    there.drain_events()
    target.host.run("destroy", "--bare", new)
    wait_for(lambda: not there.exists("/elsewhere/a/b"), "its nodes to go")
    # The source was only read.
    assert root.read(f"{home}/data/z") == b"z" and root.is_introduced(old)


@pytest.fixture
def fragment(source, tmp_path):
    """A domain of the source with some nodes; its fragment."""
    domid = source.host.create("--bare")
    root = source.connect(DEADLINE)
    root.write(f"/local/domain/{domid}/data/x", b"1")
    root.set_perms(f"/local/domain/{domid}", [f"n{domid}"])
    root.set_perms(f"/local/domain/{domid}/data", [f"n{domid}", "r3"])
    root.set_perms(f"/local/domain/{domid}/data/x", [f"n{domid}"])
    root.introduce(domid, 1, 1)
    root.set_quota(domid, "nodes", 2)
    file = tmp_path / "fragment"
    extract(source, domid, file)
    return file


def whole(client):
    """All that an insertion could have touched."""
    lines = []

    def visit(path):
        lines.append((path, client.read(path), client.get_perms(path)))
        for name in client.ls(path):
            visit(f"{path.rstrip('/')}/{name}")

    visit("/")
    return lines, client.control("check")


def refused(target, domid, file, *options, why):
    client = target.connect(DEADLINE)
    before = whole(client)
    text = insert(target, domid, file, *options, status=1).stderr.decode()
    assert why in text, text
    assert whole(client) == before
    client.close()


def test_what_does_not_fit_is_refused_whole(target, fragment):
    root = target.connect(DEADLINE)
    domid = target.host.create("--bare")
    refused(target, 999, fragment, why="no domain 999")
    refused(target, 0, fragment, why="store's own")
    refused(target, domid, fragment, why="not introduced")
    # It owns three nodes and may have two.
    refused(target, domid, fragment, "--port", 1, why="more nodes")
    assert not root.is_introduced(domid)
    data = fragment.read_bytes()
    fragment.write_bytes(data.replace(struct.pack("=I", 2) + struct.pack("=I", 128),
                                      struct.pack("=I", 9) + struct.pack("=I", 128)))
    assert fragment.read_bytes() != data
    refused(target, domid, fragment, "--port", 4000, why="ring")
    assert not root.is_introduced(domid)
    root.write(f"/local/domain/{domid}/data", b"here before")
    refused(target, domid, fragment, "--port", 1, why="exists already")
    root.rm(f"/local/domain/{domid}")
    insert(target, domid, fragment, "--port", 1)
    assert root.read(f"/local/domain/{domid}/data/x") == b"1"
    # Domain 3 of the other host is not domain 3 of this one.
    assert root.get_perms(f"/local/domain/{domid}/data") == [f"n{domid}"]
    assert root.get_quota(domid, "nodes") == 9
    refused(target, domid, fragment, "--port", 1, why="introduced already")


def test_a_domain_that_is_introduced_already(target, fragment, source, tmp_path):
    """Its ring was emptied by that, so only what is not in the ring comes over."""
    root = target.connect(DEADLINE)
    tool("show", fragment)
    data = fragment.read_bytes().replace(struct.pack("=I", 2) + struct.pack("=I", 128),
                                         struct.pack("=I", 9) + struct.pack("=I", 128))
    fragment.write_bytes(data)
    domid = target.host.create("--bare")
    root.introduce(domid, 1, 1)
    insert(target, domid, fragment)
    guest = target.guest(domid)
    assert guest.read("data/x") == b"1"
    guest.write("data/y", b"2")
    guest.watch("data", "t")
    other = target.host.create("--bare")
    root.introduce(other, 1, 1)
    busy = target.guest(other)
    busy.watch("data", "t")
    refused(target, other, fragment, why="in use")


def test_a_fragment_of_an_image_of_another_xenstored(target, tmp_path):
    file, out = tmp_path / "image", tmp_path / "fragment"
    file.write_bytes(stream.CURRENT)
    tool("extract", "-o", out, 5, file)
    domid = target.host.create("--bare")
    insert(target, domid, out, "--port", 1)
    root = target.connect(DEADLINE)
    assert root.read(f"/local/domain/{domid}/data") == b"hello"
    assert root.get_perms(f"/local/domain/{domid}/data") == [f"n{domid}", "r0"]
    assert root.get_perms("/tool/5") == [f"b{domid}"]


def test_whole_images_and_other_files_are_refused(target, tmp_path):
    file = tmp_path / "file"
    domid = target.host.create("--bare")
    for content in (stream.CURRENT, b"", b"nonsense"):
        file.write_bytes(content)
        insert(target, domid, file, "--port", 1, status=1)


def test_the_command_itself(target):
    client, other = target.connect(DEADLINE), target.connect(DEADLINE)
    control = client.control
    assert control("migrate", "-i", "1") == "Not in migrate session."
    assert control("migrate", "-d", "1", "x") == "Not in migrate session."
    # Here a text would be a piece of a fragment.
    assert client.error_of(Type.CONTROL, strings("migrate", "-r", "0")) == "ENOENT"
    assert control("migrate", "-x", "999") == "There is no domain 999."
    assert control("migrate", "-x", "0") == "There is no domain 0."
    assert "at most" in control("migrate", "-b", "999999999")
    for words in ([], ["-q"], ["-b"], ["-b", "x"], ["-b", "0"], ["-b", "1", "2"], ["-x", "x"],
                  ["-b", "9999999999999999999999"]):
        assert client.error_of(Type.CONTROL, strings("migrate", *words)) == "EINVAL", words
    assert control("migrate", "-b", "4") == "OK"
    assert other.control("migrate", "-b", "4") == "migrate session already active."
    assert other.control("migrate", "-i", "1") == "Not in migrate session."
    for words in (["-r", "0"], ["-d", "5", "12345"], ["-d", "2", "123"], ["-d", "9", "12"],
                  ["-d", "x", "1"], ["-i", "1", "0"], ["-i", "x"], ["-i", "1", "-1"]):
        assert client.error_of(Type.CONTROL, strings("migrate", *words)) == "EINVAL", words
    assert control("migrate", "-d", "2", "12") == "OK"
    assert control("migrate", "-i", "1") == "The fragment is not complete."
    assert control("migrate", "-d", "2", "34") == "OK"
    assert control("migrate", "-d", "0", "") == "OK"
    assert control("migrate", "-i", "1").startswith("At offset 0")
    assert control("migrate", "-i", "1") == "Not in migrate session."
    assert control("migrate", "-x", "1").isdigit()
    for words in (["-r", "9999999"], ["-r", "x"], ["-d", "1", "x"]):
        assert client.error_of(Type.CONTROL, strings("migrate", *words)) == "EINVAL", words
    assert other.control("migrate", "-a") == "OK"
    # A connection's end ends its session.
    assert control("migrate", "-b", "4") == "OK"
    client.close()
    other.sync()
    assert other.control("migrate", "-b", "4") == "OK"
    guest = target.guest(1)
    assert guest.error_of(Type.CONTROL, strings("migrate", "-x", "1")) == "EACCES"


def test_an_update_in_the_middle(source, target, fragment, tmp_path):
    """Both halves of a migration go on in the new program."""
    data = fragment.read_bytes().replace(struct.pack("=I", 2) + struct.pack("=I", 128),
                                         struct.pack("=I", 9) + struct.pack("=I", 128))
    client, other = target.connect(DEADLINE), target.connect(DEADLINE)

    def piece(daemon, connection, offset):
        reply = connection.request(Type.CONTROL, strings("migrate", "-r", str(offset)))
        return reply.payload[:-1]

    def give(connection, part):
        reply = connection.request(Type.CONTROL, strings("migrate", "-d", str(len(part))) + part +
                                   b"\0")
        assert reply.payload == b"OK\0"

    # Reading: what has been cut out is what it was, whatever has happened since.
    domid = source.host.create()
    reader = source.connect(DEADLINE)
    guest = source.guest(domid)
    for i in range(8):
        guest.write(f"data/{i}", bytes(1500))
    size = int(reader.control("migrate", "-x", str(domid)))
    got = piece(source, reader, 0)
    assert len(got) < size
    source.updated()
    guest.write("data/0", b"later")
    while len(got) < size:
        got += piece(source, reader, len(got))
        source.updated()
    again = tmp_path / "again"
    again.write_bytes(got)
    shown = tool("show", again).stdout
    assert b"later" not in shown and shown.count(b"/data/") == 8
    # Writing, and nothing of it is anybody else's.
    domid = target.host.create("--bare")
    assert client.control("migrate", "-b", str(len(data))) == "OK"
    for at in range(0, len(data), 700):
        target.updated()
        assert other.control("migrate", "-b", "4") == "migrate session already active."
        give(client, data[at:at + 700])
    target.updated()
    assert client.control("migrate", "-i", str(domid), "1") == "OK"
    assert client.is_introduced(domid)
    # With its connection a session ends in the new program, too.
    assert client.control("migrate", "-b", "4") == "OK"
    target.updated()
    client.close()
    other.sync()
    assert other.control("migrate", "-b", "4") == "OK"


def test_damaged_fragments(target, fragment, tmp_path):
    """Any byte may be another: refused or inserted, never half, and the store stays sound."""
    rng = random.Random(5)
    data = fragment.read_bytes()
    root = target.connect(DEADLINE)
    results = [0, 0]
    for turn in range(60 * COUNT):
        domid = target.host.create("--bare") if turn % 20 == 0 else domid
        before = whole(root)
        bad = bytearray(data)
        for _ in range(rng.choice((1, 1, 3))):
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.2:
            del bad[rng.randrange(len(bad)):]
        if not bad:
            continue
        assert root.control("migrate", "-b", str(len(bad))) == "OK"
        root.request(Type.CONTROL, strings("migrate", "-d", str(len(bad))) + bytes(bad) + b"\0")
        answer = root.control("migrate", "-i", str(domid), "1")
        results[answer == "OK"] += 1
        if answer != "OK":
            assert whole(root) == before, answer
            continue
        root.release(domid)
        root.rm(f"/local/domain/{domid}")
        root.control("check")
    assert results[0] > 10
