# SPDX-License-Identifier: GPL-2.0-or-later
"""Live update of the domain, within the domain.

Who is served goes on as if nothing had happened: clients of dom0's ring with watches and open
transactions, guests that ping, guests that write numbers without end and watch over their order.
"""

import contextlib
import ctypes
import json
import os
import re
import signal
import struct
import threading

import xswire
from checks_guests import Lives
from checks_stub_files import DIRECTORY, FilesDaemon, attach, expect_line, lines, say
from checks_update import Pinging, Served
from framework import Skip, check, equal, wait_until
from guests import Guest
from host import command
from stub_host import IMAGE


# Without it this program would take the emulated processor for itself.
PAUSE = 0.2
DUMP = f"{DIRECTORY}/state_dump"


def live_update(*words, ok=True):
    return command("xenstore-control", "live-update", *words, ok=ok, timeout=60)


CONSOLE = "/var/log/xen/guest-Xenstore.log"


def boots(host):
    """How often the console tells of an image's start; that of the first one may have to come."""
    def told():
        if not os.path.exists(CONSOLE):
            return 0
        with open(CONSOLE) as log:
            return log.read().count(" as domain ")
    return wait_until(told, "the first image's start on the console")


def update(host, *words):
    """An update that must succeed."""
    before = boots(host)
    live_update(*words, IMAGE)
    assert not host.gone(), host.gone()
    wait_until(lambda: boots(host) == before + 1, "the start of an image on the console")


class Writer(Guest):
    """A guest that writes numbers and stops at the first request that is not done in its turn."""

    def __init__(self, host, name):
        super().__init__(host, name, extra="role=writer")

    def number(self):
        return int(self.read("data/number") or 0)

    def more(self):
        """Waits until there are more numbers, all of them right."""
        before = self.number()
        wait_until(lambda: self.number() >= before + 50 or self.read("data/failed"), "numbers")
        equal(self.read("data/failed"), None, "the number at which the order was wrong")


@check("live update: an image takes the place of itself, again and again, in the same memory",
       deadline=200)
def to_itself(host):
    host.client.write("/before", b"value")
    update(host)
    equal(host.client.read("/before"), b"value")
    before = host.memory_pages()
    update(host)
    equal(host.client.read("/before"), b"value")
    equal(host.memory_pages(), before, "(pages, limit)")
    host.client.rm("/before")
    command("xenstore-control", "check")


@check("live update: everybody is served on, a guest pings and another writes without end",
       deadline=300)
def everybody(host):
    with Guest(host, "pinged") as pinged, Writer(host, "writer") as writer:
        pinged.wait_hello()
        writer.more()
        with Served(host) as served, Pinging(host, pinged, PAUSE) as pings:
            update(host)
            pings.more()
            served.check()
            writer.more()


@check("live update: open transactions go on; the end of a guest is told once, before or after",
       deadline=200)
def transactions(host):
    names = ["conflict", "fine", "removed"]
    for name in names:
        host.client.write(f"/update/{name}", b"old")
    with host.new_client() as client, Guest(host, "first") as first, Lives(host) as lives:
        first.wait_hello()
        lives.counts()
        open_ones = {name: client.transaction_start() for name in names}
        for name in "conflict", "fine":
            equal(client.read(f"/update/{name}", open_ones[name]), b"old")
            client.write(f"/update/{name}/new", b"1", open_ones[name])
        client.rm("/update/removed", open_ones["removed"])
        update(host)
        lives.expect(0, 0)
        equal(client.read("/update/fine/new", open_ones["fine"]), b"1")
        assert not host.client.exists("/update/fine/new"), "it is not isolated"
        assert host.client.exists("/update/removed")
        host.client.write("/update/conflict", b"changed")
        equal({name: client.commit(open_ones[name]) for name in names},
              {"conflict": False, "fine": True, "removed": True}, "commits")
        assert not host.client.exists("/update/removed")
        equal(host.client.read("/update/fine/new"), b"1")
        first.destroy()
        lives.expect(0, 1)
        with Guest(host, "second") as second:
            equal(second.wait_hello(), str(second.domid))
            lives.expect(1, 0)
        lives.expect(0, 1)
    host.client.rm("/update")


class Sender:
    """A client that sends a file as xenstore-control does."""

    def __init__(self, client):
        self.client = client

    def words(self, *words):
        """The answer to a live-update request of these words."""
        return self.client.control("live-update", *words)

    def data(self, chunk):
        payload = xswire.strings("live-update", "-d", len(chunk)) + chunk + b"\0"
        return self.client.request(xswire.Type.CONTROL, payload).payload.rstrip(b"\0").decode()

    def send(self, content, announced=None):
        """All of it; returns the first answer that is not OK."""
        answer = self.words("-b", str(announced or len(content)))
        for start in range(0, len(content), 2000):
            if answer != "OK":
                break
            answer = self.data(content[start : start + 2000])
        return answer

    def refused(self, content, announced=None, *words):
        """Sends and starts; returns the reason of the refusal."""
        equal(self.send(content, announced), "OK")
        answer = self.words("-s", "-t", "10", *words)
        assert answer != "OK"
        return answer


def head_of_image(size):
    with open(IMAGE, "rb") as stream:
        return stream.read(size)


@check("live update: what is no image for this domain is refused and changes nothing",
       deadline=200)
def refused(host):
    before = boots(host)
    with host.new_client() as client, Guest(host, "tiny") as guest:
        guest.wait_hello()
        sender = Sender(client)
        busybox = open("/bin/busybox", "rb").read(20000)
        tiny = open("/guest/tiny.elf", "rb").read()
        linked = open("/bin/xenstore-control", "rb").read(20000)
        for content, reason in ((b"\0" * 5000, "no ELF file"),
                                (bytes(i * 7 % 256 for i in range(3000)), "no ELF file"),
                                (head_of_image(30), "no ELF file"),
                                (head_of_image(200), "cut off"),
                                (head_of_image(20000), "cut off"),
                                (linked, "not linked to fixed addresses"),
                                (busybox, "kernel"),
                                (tiny, "for this machine")):
            answer = sender.refused(content)
            assert reason in answer, (reason, answer)
            host.client.write("/still", b"here")
            guest.ping(reason)
        equal(sender.refused(head_of_image(5000), announced=6000),
              "The kernel is incomplete: 5000 of 6000 bytes.")
    host.client.rm("/still")
    equal(boots(host), before)


@check("live update: the words of a session are accepted in their order only", deadline=60)
def sessions(host):
    # All clients in dom0 are one connection to xenstored, that of the kernel's ring.
    with host.new_client() as client:
        sender = Sender(client)
        equal(sender.words("-a"), "No live-update session active.")
        for words in ("-c", "text"), ("-s", "-t", "5"), ("-s",):
            equal(sender.words(*words), "Not in live-update session.")
        equal(sender.data(b"x"), "Not in live-update session.")
        for words in ("-b", "0"), ("-b", "-5"), ("-b", "99999999999999999999"), ("-b",), ("-d",):
            equal(client.error_of(xswire.Type.CONTROL, xswire.strings("live-update", *words)),
                  "EINVAL")
        equal(sender.words("-b", "5000"), "OK")
        equal(sender.words("-b", "5000"), "live-update session already active.")
        equal(sender.data(b"x" * 2000), "OK")
        equal(sender.data(b"x" * 2000), "OK")
        equal(sender.data(b"x" * 2000), "Too much kernel data.")
        equal(client.error_of(xswire.Type.CONTROL,
                              xswire.strings("live-update", "-d", "2000") + b"short\0"), "EINVAL")
        equal(sender.words("-a"), "OK")
        equal(sender.words("-s"), "Not in live-update session.")


@check("live update: too little memory is a refusal that says how much; a raised limit helps",
       deadline=120)
def limit(host):
    with host.new_client() as client:
        sender = Sender(client)
        answer = sender.words("-b", str(60 << 20))
        assert answer.startswith("Allocation failure: ") and "mem-max" in answer, answer
        wanted = int(re.search(r"limit to (\d+) MB", answer).group(1))
        pages, before = host.memory_pages()
        assert wanted * 1024 > before, (wanted, before)
        host.hypervisor.set_limit(host.domid, wanted * 1024)
        try:
            equal(sender.words("-b", str(60 << 20)), "OK")
            assert host.memory_pages()[0] > pages
            equal(sender.words("-a"), "OK")
        finally:
            host.hypervisor.set_limit(host.domid, before)
        equal(host.memory_pages(), (pages, before), "given back")
        assert sender.words("-b", str(60 << 20)).startswith("Allocation failure: ")


ENDS = b"\x0f\x0b"  # an instruction that is none
HANGS = b"\xeb\xfe"  # a jump to itself


def broken_image(place, how):
    """An image that passes for a good one, and whose function of this name is none."""
    if not os.path.exists("/stub/places.json"):
        raise Skip("the image's symbols are not there")
    with open(IMAGE, "rb") as stream:
        image = bytearray(stream.read())
    with open("/stub/places.json") as stream:
        at = json.load(stream)[place]
    image[at : at + len(how)] = how
    path = f"/tmp/{place}-{how.hex()}"
    with open(path, "wb") as stream:
        stream.write(image)
    return path


class Everybody:
    """Guests and clients that see whether anything is lost, doubled or reordered.

    What one of them has seen once it says from then on, so it is enough to ask at the end.
    """

    def __init__(self, host):
        self.host = host
        self.pinged, self.writer = Guest(host, "pinged"), Writer(host, "writer")
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        for guest in self.pinged, self.writer:
            self.stack.enter_context(guest)
        self.pinged.wait_hello()
        self.writer.more()
        self.served = self.stack.enter_context(Served(self.host))
        self.pings = self.stack.enter_context(Pinging(self.host, self.pinged, PAUSE))
        return self

    def __exit__(self, *what):
        return self.stack.__exit__(*what)

    def check(self):
        self.pings.more()
        self.served.check()
        self.writer.more()

    def fails(self, reason, *words):
        """An update that ends with the image before, which says this."""
        before = boots(self.host)
        ran = live_update(*words, ok=False)
        equal(ran.status, 3, ran.output)
        assert reason in ran.output, ran.output
        assert not self.host.gone(), self.host.gone()
        wait_until(lambda: boots(self.host) > before, "the start of the image before")


ENDED = "ended before it served"
HUNG = "did not serve within 3 seconds"


@check("live update: an image that ends before it serves is left for the one before, which says so",
       deadline=240)
def way_back(host):
    with Everybody(host) as everybody:
        everybody.fails(ENDED, broken_image("_start", ENDS))
        everybody.fails(ENDED, "-m", "memory", broken_image("image_restore", ENDS))
        # Not every end is a failure, for the program.
        everybody.fails(ENDED, "-c", "--version", IMAGE)
        everybody.check()


@check("live update: an image that hangs before it serves is left for the one before, which says so",
       deadline=240)
def hangs(host):
    with Everybody(host) as everybody:
        everybody.fails(HUNG, "-w", "3", broken_image("_start", HANGS))
        everybody.fails(HUNG, "-w", "3", "-m", "memory", broken_image("image_restore", HANGS))
        everybody.check()


@check("live update: the log goes on in its file, without a gap or a double", deadline=120)
def log_goes_on(host):
    attach(host)
    said = [f"line {i} {when} an update" for i in range(20) for when in ("before", "after")]
    for text in said[:20]:
        say(host, text)
    update(host)
    for text in said[20:]:
        say(host, text)
    expect_line(host, said[-1])
    equal([line.split("control: ")[1] for line in lines() if " an update" in line], said)


@check("live update by a file in dom0: everybody is served on; the file goes", deadline=300)
def by_file(host):
    attach(host)
    with Everybody(host) as everybody:
        update(host, "-m", "file")
        expect_line(host, "bytes of state in a file")
        wait_until(lambda: not os.path.exists(DUMP), f"the end of {DUMP}")
        # And the way back by the file, which is kept as long as it may be needed.
        for place in "waited_take", "image_restore":
            everybody.fails(ENDED, "-m", "file", broken_image(place, ENDS))
            wait_until(lambda: not os.path.exists(DUMP), f"the end of {DUMP}")
        everybody.check()


class Meddler(threading.Thread):
    """Changes the state's file between its writing and its reading by the new image."""

    IN_CLOSE_NOWRITE = 0x10

    def __init__(self):
        super().__init__(daemon=True)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.events = self.libc.inotify_init()
        assert self.events >= 0
        added = self.libc.inotify_add_watch(self.events, DIRECTORY.encode(), self.IN_CLOSE_NOWRITE)
        assert added >= 0, os.strerror(ctypes.get_errno())
        self.changed = False

    def run(self):
        # The image that writes the file reads it back; behind that is the moment.
        while not os.path.basename(DUMP).encode() in os.read(self.events, 4096):
            pass
        FilesDaemon.process.send_signal(signal.SIGSTOP)
        with open(DUMP, "r+b") as stream:
            stream.seek(-100, os.SEEK_END)
            byte = stream.read(1)[0]
            stream.seek(-100, os.SEEK_END)
            stream.write(bytes([byte ^ 1]))
        self.changed = True
        FilesDaemon.process.send_signal(signal.SIGCONT)


@check("live update by a file that is changed on its way: the image before goes on, and says so",
       deadline=200)
def changed_file(host):
    attach(host)
    host.client.write("/before", b"value")
    meddler = Meddler()
    meddler.start()
    ran = live_update("-m", "file", IMAGE, ok=False)
    assert meddler.changed
    assert "state_dump was changed" in ran.output, ran.output
    assert not host.gone(), host.gone()
    equal(host.client.read("/before"), b"value")
    host.client.rm("/before")


# Of the memory below 640 KB.
LOW_SIZE = 0x9f000


def image_of_another_kind():
    """Our image as another program's: without our note, and loaded over the low memory as well.

    There it enters a few bytes of code that go on to ours, which finds what upstream's stub domain
    would: a module and a file, and none of our fixed places as it left them.
    """
    with open(IMAGE, "rb") as stream:
        ours = stream.read()
    # What ours recognizes an oxenstored by is in ours.
    ours = ours.replace(b"$xenstored-dump-format", b"$xenstored-dump-FORMAT")
    at = ours.index(struct.pack("<III4s", 4, 4, 18, b"Xen"))
    entry, = struct.unpack_from("<I", ours, at + 16)
    code = b"\xfa\xfc\xb8" + struct.pack("<I", entry) + b"\xff\xe0"  # cli; cld; jump to entry
    low = (b"\xcc" * 0x100 + code).ljust(0x20000, b"\xcc")
    note = struct.pack("<III4sI", 4, 4, 18, b"Xen", 0x100)

    headers = []
    offset, size, count = (struct.unpack_from(kind, ours, place)[0]
                           for kind, place in (("<Q", 32), ("<H", 54), ("<H", 56)))
    for i in range(count):
        header = list(struct.unpack_from("<IIQQQQQQ", ours, offset + i * size))
        if header[0] == 1:  # to be loaded
            header[2] += 4096
            headers.append(header)
    where = 4096 + len(ours)
    headers.append([1, 7, where, 0, 0, len(low), LOW_SIZE, 4096])
    headers.append([4, 4, 2048, 0, 0, len(note), len(note), 4])
    elf = bytearray(ours[:64])
    struct.pack_into("<QQ", elf, 32, 64, 0)
    struct.pack_into("<HHHHH", elf, 54, size, len(headers), 64, 0, 0)
    front = bytes(elf) + b"".join(struct.pack("<IIQQQQQQ", *header) for header in headers)
    with open("/tmp/other", "wb") as stream:
        stream.write(front.ljust(2048, b"\0") + note.ljust(2048, b"\0") + ours + low)
    return "/tmp/other"


@check("live update to another xenstored and from it, by what upstream's stub domain leaves and finds",
       deadline=300)
def exchange(host):
    attach(host)
    other = image_of_another_kind()
    ran = live_update(other, ok=False)
    assert "no way back" in ran.output and "-m file" in ran.output, ran.output
    with Guest(host, "pinged") as pinged, Writer(host, "writer") as writer:
        pinged.wait_hello()
        writer.more()
        with Served(host) as served, Pinging(host, pinged, PAUSE) as pings:
            before = boots(host)
            live_update("-m", "file", other)
            assert not host.gone(), host.gone()
            wait_until(lambda: boots(host) == before + 1, "the start of an image on the console")
            expect_line(host, "taken over from another xenstored")
            pings.more()
            served.check()
            writer.more()
            wait_until(lambda: not os.path.exists(DUMP), f"the end of {DUMP}")
            # Files, channels and memory are those of a domain like any other.
            say(host, "after the exchange")
            expect_line(host, "after the exchange")
            update(host)
            pings.more()
            served.check()
            writer.more()


@check("live update by a file is refused when nobody takes files, and by memory it goes on",
       deadline=200)
def no_file(host):
    attach(host)
    before = boots(host)
    FilesDaemon.kill()
    host.client.rm(f"/local/domain/0/backend/xen_9pfs/{host.domid}/0/state")
    with host.new_client() as client:
        answer = Sender(client).refused(open(IMAGE, "rb").read(), None, "-m", "file")
        assert "state_dump" in answer, answer
        with open(image_of_another_kind(), "rb") as stream:
            answer = Sender(client).refused(stream.read(), None, "-m", "file")
        assert "nobody keeps our files" in answer, answer
    equal(boots(host), before)
    update(host, "-m", "memory")
    FilesDaemon.start()
