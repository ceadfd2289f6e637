# SPDX-License-Identifier: GPL-2.0-or-later
"""The hypervisor is updated under whoever runs on it: processes, daemons and guests that
cannot tell, by anything but time."""

import hashlib
import os
import re
import signal
import socket
import struct
import threading
import time

import pytest

from tests.lib.daemon import ROOT
from tests.simxen.host import SIMXEN, Host
from tests.simxen.images import NEWER, OLDER, says

COUNT = int(os.environ.get("COUNT", "1"))
UPDATES = 20
STORES = ["ours", "debian-c", "debian-ocaml"]


@pytest.fixture(params=STORES)
def store(request, start_store):
    return start_store(request.param)


def identities(host):
    return {domid: (unique, name) for domid, (_, unique, name) in host.domains().items()}


def ring_pages(host):
    """A digest of all ring pages, when nobody writes to them."""
    digest = hashlib.sha256()
    with open(os.path.join(host.dir, "memory"), "rb") as memory:
        digest.update(memory.read(0x7FF0 * 4096))
    return digest.hexdigest()


def hashes(done):
    return re.search(r"memory of the domains: (\w+) before, (\w+) after", done.stdout).groups()


# ---- domains and processes ------------------------------------------------------------------


def test_what_is_there_stays_as_it_is(host):
    for name in ("one", "two", "three"):
        host.create("--name", name)
    host.run("unpause", 1)
    host.run("shutdown", 2, "suspend")
    before, pages, pid = host.domains(), ring_pages(host), host.pid()
    done = host.update()
    assert "from simxen to simxen: stream version" in done.stdout and "pause: " in done.stdout
    first, second = hashes(done)
    assert first == second
    assert (host.domains(), ring_pages(host), host.pid()) == (before, pages, pid)
    assert host.create() == 4
    assert len(set(identities(host).values())) == 5


def test_memory_stays_where_it_is(host):
    """The hash knows each page's place and each byte: other memory gives another one."""
    for pages in (1, 300, 5000):
        host.run("create", "--bare", "--memory", pages)
    seen = set(hashes(host.update()))
    assert len(seen) == 1
    for program in (NEWER, SIMXEN, OLDER):
        seen |= set(hashes(host.update(program)))
    assert len(seen) == 1
    host.run("destroy", "--bare", 2)
    host.run("create", "--bare", "--memory", 300)
    assert len(set(hashes(host.update())) - seen) == 1
    full = host.run("create", "--bare", "--memory", 1 << 20, check=False)
    assert full.returncode == 1 and "Cannot allocate memory" in full.stderr
    host.update()


def test_ids_go_on_where_they_were():
    with Host("--ids", "sequence") as host:
        host.run("create", "--count", 3)
        host.update()
        fourth = host.create()
        assert host.domains()[fourth][1] == 5
        host.update(NEWER)
        fifth = host.create()
        assert host.domains()[fifth][1] == 6


def test_quiet_says_nothing(host):
    done = host.run("live-update", "--quiet")
    assert done.stdout == done.stderr == ""


def test_versions_up_and_down(host):
    host.run("create", "--count", 2)
    before = identities(host)
    for program, version in ((NEWER, 2), (NEWER, 3), (SIMXEN, 2), (OLDER, 1), (OLDER, 1),
                             (SIMXEN, 1), (OLDER, 1), (SIMXEN, 1)):
        assert f"stream version {version}," in host.update(program).stdout
        assert identities(host) == before


def test_the_release_that_is_modelled_stays():
    with Host("--xen", "4.17") as host:
        in_process(host, """
for _ in range(2):
    assert Manage().info(0) == -errno.EACCES
    assert Call().domctl(5, 0x15, 0)[0] == 0
    update()
""")


def in_process(host, code):
    """Runs code in a process of the host, with simxen() for commands and update()."""
    done = host.python(f"""
import os, struct, subprocess
def simxen(*arguments, check=True):
    plain = {{key: value for key, value in os.environ.items() if not key.startswith("LD_")}}
    return subprocess.run([{SIMXEN!r}, *arguments], env=plain, check=check,
                          capture_output=not check).returncode
def update():
    simxen("live-update", "--quiet")
{code}
print("fine")
""")
    assert done.stdout == "fine\n"


def test_handles_and_mappings_of_a_process_stay(host):
    domid = host.create("--bare")
    in_process(host, f"""
g, e = Gnttab(), Evtchn()
address = g.map({domid})
assert address > 0
port = e.bind_interdomain({domid}, 1)
assert port > 0 and e.pending() == port
ctypes.memmove(address + 3000, b"before", 6)
update()
assert ctypes.string_at(address + 3000, 6) == b"before"
# As before, its number is masked, and notifying is possible.
assert e.notify(port) == 0 and e.unmask(port) == 0
other = e.bind_unbound({domid})
assert other > 0 and other != port
second = g.map({domid})
update()
assert g.unmap(address) == 0 and g.unmap(second) == 0
assert e.unbind(port) == 0 and e.unbind(other) == 0
assert g.unmap(address) < 0 and e.unbind(port) < 0
""")


def test_events_are_neither_lost_nor_doubled(host):
    """Events that wait at each place where they can: masked, in the socket, half written back."""
    domid = host.create("--bare")
    in_process(host, f"""
def nothing():
    return server.pending(0.05) is None
server = Evtchn()
os.environ["SIMXEN_DOMID"] = "{domid}"
guest = Evtchn()
del os.environ["SIMXEN_DOMID"]
port = guest.bind_unbound(0)
mine = server.bind_interdomain({domid}, port)
assert server.pending() == mine and nothing()
# Raised twice while it is masked, before and after: told once.
guest.notify(port)
update()
guest.notify(port)
assert nothing()
server.unmask(mine)
assert server.pending() == mine and nothing()
# In the socket while the hypervisor changes.
server.unmask(mine)
guest.notify(port)
assert select.select([server], [], [], 30)[0]
update()
assert server.pending() == mine and nothing()
# Written back in two halves, one before and one after.
word = struct.pack("=I", mine)
os.write(server.fileno(), word[:3])
update()
guest.notify(port)
assert nothing()
os.write(server.fileno(), word[3:])
assert server.pending() == mine and nothing()
""")


def test_more_events_than_the_socket_takes(host):
    """What waits in the host for a process that does not read is not forgotten."""
    domid, ports = host.create("--bare"), 3000
    in_process(host, f"""
import socket
server = Evtchn()
s = socket.socket(fileno=os.dup(server.fileno()))
os.environ["SIMXEN_DOMID"] = "{domid}"
guest = Evtchn()
pairs = [(guest.bind_unbound(0), None) for _ in range({ports})]
mine = set()
for port, _ in pairs:
    mine.add(server.bind_interdomain({domid}, port))
update()
seen = [server.pending() for _ in range({ports})]
assert len(seen) == len(set(seen)) and set(seen) == mine
assert server.pending(0.05) is None
""")


def test_shared_pages_stay(host):
    domid = host.create("--bare")
    in_process(host, f"""
lib = ctypes.CDLL("libxengnttab.so.1", use_errno=True)
for function in (lib.xengntshr_open, lib.xengntshr_share_pages):
    function.restype = ctypes.c_void_p
os.environ["SIMXEN_DOMID"] = "{domid}"
shares = ctypes.c_void_p(lib.xengntshr_open(None, 0))
del os.environ["SIMXEN_DOMID"]
g, refs = Gnttab(), (ctypes.c_uint32 * 3)()
start = lib.xengntshr_share_pages(shares, 0, 3, refs, 1)
pages = [g.map({domid}, ref) for ref in refs]
ctypes.memmove(start + 4096, b"before", 6)
update()
assert ctypes.string_at(pages[1], 6) == b"before"
ctypes.memmove(pages[2], b"after", 5)
assert ctypes.string_at(start + 2 * 4096, 5) == b"after"
assert lib.xengntshr_unshare(shares, ctypes.c_void_p(start), 3) == 0
assert g.map({domid}, refs[0]) < 0
update()
assert all(g.unmap(page) == 0 for page in pages)
again = (ctypes.c_uint32 * 1)()
assert lib.xengntshr_share_pages(shares, 0, 1, again, 1) and again[0] == refs[0]
""")


def test_changed_domains_are_known_afterwards(host):
    """Whoever watches domains finds each one that is there, and one that went before it asked."""
    gone = host.create("--bare")
    in_process(host, f"""
e, m = Evtchn(), Manage()
port = e.bind_virq()
assert {{d for d, *_ in m.all_changed()}} == {{0, {gone}}}
unique = m.info(0)[2]
simxen("destroy", "--bare", "{gone}")
while simxen("create", "--bare", "7", check=False):
    pass
update()
# Told once; what died and was not asked about is among those that changed.
assert e.pending() == port and e.unmask(port) == 0
changed = {{d: (state, unique) for d, state, _, unique in m.all_changed()}}
assert changed.keys() == {{0, {gone}, 7}}, changed
assert changed[{gone}] == (0, 0) and changed[0][1] == unique
assert m.info({gone}) == -errno.ESRCH
""")


def test_a_client_that_comes_in_the_middle_is_served(host):
    """Connections and requests that arrive while nobody serves wait in their sockets."""
    domids = [host.create("--bare") for _ in range(3)]
    stop, failures = threading.Event(), []

    def come_and_go():
        while not stop.is_set():
            if set(host.domains()) != {0, *domids}:
                failures.append(host.domains())

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(UPDATES * COUNT):
            host.update()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


def test_no_descriptor_is_left_behind(host):
    def opened():
        return len(os.listdir(f"/proc/{host.pid()}/fd"))

    host.create("--bare")
    host.update()
    before = opened()
    for _ in range(UPDATES):
        host.update()
    # The connection of the last command may still be there.
    host.wait(lambda: opened() <= before, "descriptors to be closed")


def test_many_domains(host):
    host.run("create", "--bare", "--count", 2000)
    before = identities(host)
    in_process(host, """
g, e = Gnttab(), Evtchn()
addresses = [g.map(domid) for domid in range(1, 2001)]
ports = [e.bind_interdomain(domid, 1) for domid in range(1, 2001)]
update()
assert all(g.unmap(address) == 0 for address in addresses)
assert {e.pending() for _ in ports} == set(ports)
""")
    assert identities(host) == before


# ---- a store and its guests -----------------------------------------------------------------


class Talk(threading.Thread):
    """Two guests and domain 0 write numbers for each other, and each watches what comes."""

    NODES = 40

    def __init__(self, host, store):
        super().__init__()
        self.first, self.second = host.create(), host.create()
        self.writer, self.watcher = host.guest_client(self.first), host.guest_client(self.second)
        self.dom0, self.other = store.connect(), store.connect()
        self.stopping = threading.Event()
        self.rounds = 0
        self.error = None
        home = f"/local/domain/{self.first}/data"
        self.dom0.set_perms(home, [f"n{self.first}", f"r{self.second}"])
        for client, path in ((self.dom0, home), (self.watcher, home)):
            client.watch(path, "numbers")
        self.home = home

    def run(self):
        try:
            while not self.stopping.is_set():
                self.round()
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def round(self):
        node, value = self.rounds % self.NODES, str(self.rounds).encode()
        self.writer.write(f"data/{node}", value)
        for client in (self.dom0, self.watcher):
            # In order, each once: the next event is this one.
            assert client.wait_event() == (f"{self.home}/{node}", "numbers")
        assert self.other.read(f"{self.home}/{node}") == value
        tx = self.writer.transaction_start()
        assert self.writer.read(f"data/{node}", tx) == value
        self.writer.write("data/last", value, tx)
        assert self.writer.commit(tx)
        for client in (self.dom0, self.watcher):
            assert client.wait_event() == (f"{self.home}/last", "numbers")
        self.rounds += 1

    def end(self):
        self.stopping.set()
        self.join()
        if self.error:
            raise self.error
        for client in (self.dom0, self.watcher):
            assert not client.drain_events()
        for client in (self.writer, self.watcher, self.dom0, self.other):
            client.close()


def test_a_store_and_its_guests_go_on(host, store):
    talk = Talk(host, store)
    before = identities(host)
    talk.start()
    try:
        for i in range(UPDATES * COUNT):
            rounds = talk.rounds
            first, second = hashes(host.update((SIMXEN, NEWER, SIMXEN, OLDER)[i % 4]))
            assert first == second
            host.wait(lambda: talk.rounds > rounds + 1 or talk.error, "the guests")
    finally:
        talk.end()
    assert identities(host) == before and store.alive()
    # Guests that come later are served as well.
    domid = host.create()
    assert host.guest(domid, "xenstore-read", "domid").stdout == f"{domid}\n"


def released(client, done=0.3):
    """The @releaseDomain events that come until for a while none does."""
    events = []
    deadline = time.monotonic() + done
    while time.monotonic() < deadline:
        events += client.drain_events()
        time.sleep(0.01)
    return events


@pytest.mark.parametrize("moment", ["before", "during"])
def test_a_death_is_told_once(host, store, moment):
    """A domain dies when the store cannot look: it has been stopped, or the hypervisor changes."""
    domid, other = host.create(), host.create()
    client = store.connect()
    client.watch("@releaseDomain", "out")
    if moment == "before":
        os.kill(store.process.pid, 19)  # SIGSTOP
        host.run("destroy", "--bare", domid)
        host.update()
        os.kill(store.process.pid, 18)  # SIGCONT
    else:
        killer = threading.Thread(target=host.run, args=("destroy", "--bare", domid))
        updater = threading.Thread(target=host.update)
        updater.start()
        killer.start()
        killer.join()
        updater.join()
    assert client.wait_event() == ("@releaseDomain", "out")
    assert released(client) == []
    host.wait(lambda: domid not in host.domains(), "the store to let the domain go")
    assert host.guest(other, "xenstore-read", "domid").stdout == f"{other}\n"


def test_a_domid_is_used_again_across_an_update(host, start_store):
    store = start_store("ours")
    host.create(9)
    client = store.connect()
    client.watch("@releaseDomain", "out", depth=1)
    host.run("destroy", 9)
    assert host.create(9) == 9
    host.update()
    assert host.guest(9, "xenstore-read", "domid").stdout == "9\n"
    assert [event for event in released(client) if event.path.endswith("/9")] == \
        [("@releaseDomain/9", "out")]


def test_both_updates(host, store):
    """The store updates itself before, after and while the hypervisor does."""
    talk = Talk(host, store)
    talk.start()
    try:
        store.live_update()
        host.update()
        store.live_update()
        for _ in range(3 * COUNT):
            updater = threading.Thread(target=lambda: [host.update() for _ in range(3)])
            updater.start()
            store.live_update()
            updater.join()
    finally:
        talk.end()
    assert store.alive()


def test_domains_that_come_and_go(host, start_store):
    """Each one's beginning and end is told once, whatever is replaced meanwhile."""
    store = start_store("ours")
    client = store.connect()
    client.watch("@introduceDomain", "in", depth=1)
    client.watch("@releaseDomain", "out", depth=1)
    stop, made, failures = threading.Event(), [], []

    def come_and_go():
        try:
            while not stop.is_set():
                made.append(host.create())
                assert host.guest(made[-1], "xenstore-read", "domid").stdout == f"{made[-1]}\n"
                host.run("destroy", made[-1])
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for i in range(UPDATES * COUNT):
            host.update((SIMXEN, NEWER)[i % 2])
    finally:
        stop.set()
        thread.join()
    assert not failures
    expected = [event for domid in made for event in ((f"@introduceDomain/{domid}", "in"),
                                                      (f"@releaseDomain/{domid}", "out"))]
    assert [client.wait_event() for _ in expected] == expected
    assert released(client) == []
    assert set(host.domains()) == {0}


def test_a_store_that_starts_in_the_middle(host, start_store):
    domids = [host.create() for _ in range(3)]
    updater = threading.Thread(target=lambda: [host.update() for _ in range(10)])
    updater.start()
    start_store("ours")
    updater.join()
    host.wait_introduced(*domids)
    for domid in domids:
        assert host.guest(domid, "xenstore-read", "domid").stdout == f"{domid}\n"


# ---- stopping -------------------------------------------------------------------------------


class Process:
    """A process of a domain that makes hypercalls by hand."""

    OPERATIONS = re.findall(r"^\t(SIMXEN_\w+),", (ROOT / "hypervisor/host/protocol.h").read_text(),
                            re.MULTILINE)
    MESSAGE = struct.Struct("=Ii4Q")
    SERVE, ACCESS, ANSWER = range(3)

    def __init__(self, host, domid):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.connect(os.path.join(host.dir, "control"))
        assert self.ask("HELLO", 1, domid) == 0

    def send(self, operation, *arguments):
        arguments += (0,) * (4 - len(arguments))
        number = self.OPERATIONS.index("SIMXEN_" + operation)
        self.socket.send(self.MESSAGE.pack(number, 0, *arguments))

    def ask(self, operation, *arguments):
        self.send(operation, *arguments)
        return self.MESSAGE.unpack_from(self.socket.recv(65536))[1]

    def device(self, *arguments):
        return self.ask("DEVICE", *arguments)

    def exec_loaded(self):
        """The kexec hypercall that executes what is loaded; its argument is in a file."""
        memory = os.memfd_create("kexec")
        os.write(memory, struct.pack("<i", 2))
        number = self.OPERATIONS.index("SIMXEN_KEXEC")
        socket.send_fds(self.socket, [self.MESSAGE.pack(number, 0, 0, 0, 0, 0)], [memory])
        os.close(memory)
        return self.MESSAGE.unpack_from(self.socket.recv(65536))[1]


@pytest.fixture
def emulated(host):
    """A guest that waits for its device model, which is domain 0."""
    domid = host.create("--bare")
    host.run("unpause", domid)
    model, guest = Process(host, 0), Process(host, domid)
    assert model.device(model.SERVE, domid) == 0
    assert guest.device(guest.ACCESS, 0) == 0
    yield domid, model, guest
    model.socket.close()
    guest.socket.close()


def test_a_guest_that_waits_for_its_device_is_waited_for(host, emulated):
    domid, model, guest = emulated
    updater = threading.Thread(target=host.update)
    updater.start()
    host.run("create", "--bare")  # everybody else goes on
    assert updater.is_alive()
    assert model.device(model.ANSWER, domid) == 0
    updater.join()
    # Server and vCPU are there as before.
    assert guest.device(guest.ACCESS, 0) == 0
    assert model.device(model.ANSWER, domid) == 0


def test_a_guest_that_does_not_stop(host, emulated):
    domid, model, guest = emulated
    before = host.domains()
    done = host.update(SIMXEN, "--patience", "200", check=False)
    assert done.returncode == 1 and f"domain {domid} did not stop in time" in done.stderr
    # It goes on as if nothing had been, and so does everybody.
    assert model.device(model.ANSWER, domid) == 0
    assert guest.device(guest.ACCESS, 0) == 0
    assert model.device(model.ANSWER, domid) == 0
    host.update()
    assert host.domains() == before


def test_a_refused_image_leaves_the_one_before(host, emulated, tmp_path):
    """The mechanism finds nothing wrong with the second one, but the rest of the host does."""
    domid, model, _ = emulated
    done = host.update(NEWER, "--patience", "200", check=False)
    assert f"domain {domid} did not stop in time" in done.stderr
    done = host.update(says(tmp_path / "other", hand_over=77), check=False)
    assert "hand-over file has version 77" in done.stderr
    assert model.device(model.ANSWER, domid) == 0
    assert model.exec_loaded() == 0
    # It is the newer one that runs now.
    assert "too old" in host.update(OLDER, check=False).stderr


def test_a_requester_that_goes_away_does_not_matter(host, emulated):
    domid, model, _ = emulated
    updater = host.popen("live-update", "--quiet")
    host.wait(lambda: host.run("live-update", check=False).returncode == 1, "the update to begin")
    updater.kill()
    updater.wait()
    assert model.device(model.ANSWER, domid) == 0
    host.wait(lambda: host.run("live-update", check=False).returncode == 0, "the next update")


def test_the_host_can_be_stopped_in_the_middle(host, emulated):
    host.popen("live-update", "--quiet")
    host.wait(lambda: host.run("live-update", check=False).returncode == 1, "the update to begin")
    host.run("stop")
    host.process.wait(60)


def begin_update(host):
    """It waits for the emulated guest."""
    host.popen("live-update", "--hash")
    host.wait(lambda: host.run("live-update", check=False).returncode == 1, "the update to begin")


def test_the_host_can_be_stopped_in_the_last_moment(host, emulated):
    """In the same turn of the host's loop in which the last domain stops for the update."""
    domid, model, _ = emulated
    stopper = Process(host, 0)
    begin_update(host)
    os.kill(host.pid(), signal.SIGSTOP)
    model.send("DEVICE", model.ANSWER, domid)
    stopper.send("STOP")
    os.kill(host.pid(), signal.SIGCONT)
    host.process.wait(60)
    stopper.socket.close()


def test_a_signal_in_the_last_moment(host, emulated):
    """All have stopped, and the host does what it still has to: it hashes very much memory."""
    domid, model, _ = emulated
    host.run("create", "--bare", "--memory", 40000)
    begin_update(host)
    model.send("DEVICE", model.ANSWER, domid)
    time.sleep(0.03)
    os.kill(host.pid(), signal.SIGTERM)
    host.process.wait(60)
