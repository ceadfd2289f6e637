# SPDX-License-Identifier: GPL-2.0-or-later
"""xenstore-9pfsd and our front-end on a simulated host: files, restarts, deaths, limits."""

import os
import resource
import shutil
import signal
import subprocess

from tests.ninep.files import DAEMON, DEADLINE, XENSTORED, content
from tests.simxen.host import SIMXEN


def mapped_bytes(daemon):
    """How much of other domains' memory the daemon has mapped."""
    with open(f"/proc/{daemon.process.pid}/maps", encoding="ascii") as file:
        ranges = [line.split()[0].split("-") for line in file if "simxen-memory" in line]
    return sum(int(end, 16) - int(start, 16) for start, end in ranges)


# ---- files ----------------------------------------------------------------------------------


def test_lines_arrive(site):
    site.daemon()
    guest, directory = site.connected()
    for number in range(100):
        assert guest.log_line(f"line {number}") == "ok"
    assert guest.flush() == "ok"
    assert content(directory, "log") == "".join(f"line {n}\n" for n in range(100))
    assert os.stat(os.path.join(directory, "log")).st_mode & 0o777 == 0o600
    assert os.stat(directory).st_mode & 0o777 == 0o700


def test_files_of_all_sizes(site):
    site.daemon()
    guest, directory = site.connected()
    for size in (0, 1, 32767, 32768, 3000000):
        assert guest.ask(f"write state_dump {size}") == "ok"
        assert os.path.getsize(os.path.join(directory, "state_dump")) == size
        assert guest.ask("read state_dump") == str(size)
    assert guest.ask("remove state_dump") == "ok"
    assert guest.ask("read state_dump") == "-2"
    assert os.listdir(directory) == []


def test_lines_from_before_the_device(site):
    """The device may come later than the domain, and the daemon later than the device."""
    domid = site.create()
    guest = site.guest(domid)
    assert guest.log_line("early") == "ok"
    directory = site.attach(domid)
    assert guest.ask("connected 200") == "no"
    site.daemon()
    guest.connect()
    assert guest.flush() == "ok"
    assert content(directory, "log") == "early\n"


def test_each_domain_has_its_directory(site):
    site.daemon()
    guests = [site.connected() for _ in range(8)]
    for guest, _ in guests:
        guest.put(f"log I am {guest.domid}")
        guest.put("flush 60000")
        guest.put("write state 500000")
    for guest, directory in guests:
        assert [guest.get() for _ in range(3)] == ["ok"] * 3
        assert content(directory, "log") == f"I am {guest.domid}\n"


def test_more_domains_than_files_are_usual(site):
    """Descriptors are shared by all domains: the system's usual number must not be the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (48, hard))
    try:
        site.daemon()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    guests = [site.connected() for _ in range(12)]
    for guest, directory in guests:
        assert guest.log_line("here") == "ok"
        assert guest.flush() == "ok"
        assert content(directory, "log") == "here\n"


def test_a_change_of_programs(site):
    """The front-end is forgotten and restored from its numbers: rings and session go on."""
    site.daemon()
    guest, directory = site.connected()
    port = site.front(guest.domid, "event-channel-0")
    for number in range(5):
        assert guest.log_line(f"before {number}") == "ok"
        assert guest.flush() == "ok"
        assert guest.ask("reload") == "ok"
        assert guest.log_line(f"after {number}") == "ok"
        assert guest.flush() == "ok"
    assert content(directory, "log") == "".join(f"before {n}\nafter {n}\n" for n in range(5))
    assert site.front(guest.domid, "event-channel-0") == port


# ---- the store ------------------------------------------------------------------------------


def test_files_while_the_store_is_silent(site):
    """As when a Xenstore domain writes its state: it answers no request meanwhile."""
    daemon = site.daemon()
    guest, directory = site.connected()
    # The daemon is made to wait for an answer.
    site.store.process.send_signal(signal.SIGSTOP)
    try:
        toucher = subprocess.Popen(["xenstore-write", "/local/domain/0/backend/xen_9pfs/x", "y"],
                                   env=dict(site.env, XENSTORED_PATH=os.path.join(
                                       site.host.dir, "xenstored", "socket")))
        assert guest.ask("write state_dump 2000000") == "ok"
        assert guest.ask("read state_dump") == "2000000"
    finally:
        site.store.process.send_signal(signal.SIGCONT)
    toucher.wait(60)
    assert daemon.process.poll() is None
    assert os.path.getsize(os.path.join(directory, "state_dump")) == 2000000


def test_live_update_of_the_store(site):
    site.daemon()
    guest, directory = site.connected()
    control = os.path.join(os.path.dirname(XENSTORED), "xenstore-control")
    for number in range(50):
        assert guest.log_line(f"line {number}") == "ok"
        if number == 25:
            done = site.run(control, "live-update", XENSTORED)
            assert done.returncode == 0, done.stderr
    assert guest.flush() == "ok"
    assert content(directory, "log") == "".join(f"line {n}\n" for n in range(50))
    # A device that is described after the update is noticed.
    other, _ = site.connected()
    assert other.ask("write file 1000") == "ok"


# ---- restarts and deaths --------------------------------------------------------------------


def test_the_daemon_is_killed(site):
    daemon = site.daemon()
    guest, directory = site.connected()
    for round_ in range(3):
        assert guest.log_line(f"served {round_}") == "ok"
        assert guest.flush() == "ok"
        daemon.kill()
        for number in range(10):
            assert guest.log_line(f"unserved {round_} {number}") == "ok"
        assert guest.ask("flush 100") != "ok"
        daemon = site.daemon()
        # The front-end looks at the back-end's state in its own time.
        site.wait(lambda: guest.ask("work 50") == "ok" and guest.ask("flush 1000") == "ok",
                  "the connection")
    expected = "".join(f"served {r}\n" + "".join(f"unserved {r} {n}\n" for n in range(10))
                       for r in range(3))
    assert content(directory, "log") == expected


def test_lost_lines_are_counted(site):
    """A dead back-end costs lines, not time."""
    daemon = site.daemon()
    guest, directory = site.connected()
    daemon.kill()
    line = "x" * 1000
    answers = [guest.log_line(line) for _ in range(200)]
    lost = answers.count("dropped")
    assert 100 < lost < 200
    assert guest.ask("dropped") == str(lost)
    site.daemon()
    site.wait(lambda: guest.ask("work 50") == "ok" and guest.ask("flush 1000") == "ok",
              "the connection")
    assert guest.log_line("after") == "ok"
    assert guest.flush() == "ok"
    assert f"[{lost} lines with {lost * 1001} bytes were lost here]\nafter\n" in \
        content(directory, "log")


def test_the_daemon_ends_and_begins(site):
    daemon = site.daemon()
    guest, directory = site.connected()
    daemon.end()
    assert site.read("/local/domain/0/libxl/xen-9pfs/state") is None
    daemon = site.daemon()
    site.wait(lambda: guest.ask("work 50") == "ok" and guest.ask("write file 10") == "ok",
              "the connection")
    assert os.path.getsize(os.path.join(directory, "file")) == 10


def test_a_domain_is_destroyed(site):
    """Its pages are given back, else it would not go away; a successor starts afresh."""
    daemon = site.daemon()
    guest, directory = site.connected()
    assert mapped_bytes(daemon) == 17 * 4096
    assert guest.ask("write file 10") == "ok"
    site.host.run("destroy", guest.domid)
    site.wait(lambda: guest.domid not in site.host.domains(), "the domain's end")
    assert mapped_bytes(daemon) == 0
    site.wait(lambda: site.back(guest.domid, "state") is None, "the nodes' removal")
    assert daemon.process.poll() is None
    assert os.path.getsize(os.path.join(directory, "file")) == 10
    other, _ = site.connected()
    assert other.ask("write file 10") == "ok"


def test_the_directory_is_removed(site):
    """By somebody who wants to be rid of the files, not of those to come."""
    daemon = site.daemon()
    guest, directory = site.connected()
    assert guest.log_line("before") == "ok"
    assert guest.flush() == "ok"
    shutil.rmtree(directory)
    assert guest.log_line("after") == "ok"
    site.wait(lambda: guest.ask("work 50") == "ok" and guest.ask("flush 1000") == "ok",
              "another connection")
    assert content(directory, "log") == "after\n"
    assert f"{directory} was removed" in daemon.log()


def test_a_domain_that_was_never_introduced(site):
    """The Xenstore's own domain is one, on older hosts; its device is there all the same."""
    domid = site.host.create("--bare")
    site.write(f"/local/domain/{domid}/name", "Xenstore")
    site.attach(domid)
    for _ in range(2):
        daemon = site.daemon()
        site.wait(lambda: site.back(domid, "state") == "2", "the offer")
        site.host.run("destroy", site.create())  # somebody's end is told
        other, _ = site.connected()
        assert other.ask("write file 10") == "ok"
        assert site.back(domid, "state") == "2"
        daemon.kill()


def test_a_guest_process_ends(site):
    """As when a domain crashes: its pages are revoked, its port is closed, its nodes stay."""
    daemon = site.daemon()
    guest, directory = site.connected()
    guest.kill()
    successor = site.guest(guest.domid)
    site.wait(lambda: successor.ask("connected 1000") == "yes", "the successor's connection")
    assert successor.ask("write file 10") == "ok"
    assert os.path.getsize(os.path.join(directory, "file")) == 10
    assert daemon.process.poll() is None


# ---- attach and detach ----------------------------------------------------------------------


def test_detach_and_attach_again(site):
    daemon = site.daemon()
    guest, directory = site.connected()
    guest.put("gone 60000")
    done = site.control("detach", str(guest.domid))
    assert done.returncode == 0, done.stderr
    assert guest.get() == "yes"
    assert site.front(guest.domid, "state") is None
    assert site.back(guest.domid, "state") is None
    assert site.read(f"/libxl/{guest.domid}/device/9pfs") is None
    assert site.read(f"/local/domain/0/backend/xen_9pfs/{guest.domid}") is None
    assert mapped_bytes(daemon) == 0
    assert guest.ask("write file 10") == "-107"
    site.attach(guest.domid)
    site.wait(lambda: guest.ask("connected 1000") == "yes", "the connection")
    assert guest.ask("write file 10") == "ok"
    assert os.path.getsize(os.path.join(directory, "file")) == 10


def test_detach_from_a_dead_front_end(site):
    site.daemon()
    guest, _ = site.connected()
    guest.process.send_signal(signal.SIGSTOP)
    try:
        done = site.control("detach", str(guest.domid), "--wait", "1")
        assert done.returncode == 1
        assert "did not close it" in done.stderr
        assert site.back(guest.domid, "state") is None
    finally:
        guest.process.send_signal(signal.SIGCONT)


def test_attach_waits(site):
    site.daemon()
    domid = site.create()
    directory = os.path.join(site.base, "d")
    done = site.control("attach", str(domid), "--path", directory, "--wait", "1")
    assert done.returncode == 1
    assert "not connected yet" in done.stderr
    assert site.control("detach", str(domid), "--wait", "1").returncode == 0
    guest = site.guest(domid)
    guest.put("connected 60000")
    done = site.control("attach", str(domid), "--path", directory, "--wait", "60")
    assert done.returncode == 0, done.stderr
    assert guest.get() == "yes"


def test_what_attach_refuses(site):
    domid = site.create()
    assert "no such domain" in site.control("attach", "77").stderr
    assert "must be absolute" in site.control("attach", str(domid), "--path", "x").stderr
    assert site.control("attach").returncode == 2
    assert site.control("attach", "1", "--max-space", "-1").returncode == 2
    assert "no such device" in site.control("detach", str(domid)).stderr
    site.attach(domid)
    done = site.control("attach", str(domid))
    assert done.returncode == 1
    assert "has this device already" in done.stderr


def test_domains_have_names(site):
    site.daemon()
    domid, other, third = (site.create() for _ in range(3))
    site.write(f"/local/domain/{domid}/name", "net-driver")
    for twin in (other, third):
        site.write(f"/local/domain/{twin}/name", "twin")
    directory = os.path.join(site.base, "d")
    guest = site.guest(domid)
    guest.put("connected 60000")
    done = site.control("attach", "net-driver", "--path", directory, "--wait", "60")
    assert done.returncode == 0, done.stderr
    assert guest.get() == "yes"
    assert site.back(domid, "path") == directory
    guest.put("gone 60000")
    assert site.control("detach", "net-driver").returncode == 0
    assert guest.get() == "yes"
    assert site.back(domid, "path") is None
    assert "2 domains have that name" in site.control("attach", "twin").stderr
    assert "no such domain" in site.control("attach", "nobody").stderr
    assert "no such domain" in site.control("attach", "0x1").stderr
    assert site.control("attach", "").returncode == 2


def test_nodes_are_as_a_toolstack_writes_them(site):
    """Read by other front-ends and back-ends as well."""
    domid = site.create()
    site.attach(domid, "--max-space", "10", "--max-files", "20", "--max-open-files", "30",
                "--auto-delete", "--tag", "logs")
    back = {"frontend": f"/local/domain/{domid}/device/9pfs/0", "frontend-id": str(domid),
            "online": "1", "security_model": "none", "state": "1", "max-space": "10",
            "max-files": "20", "max-open-files": "30", "auto-delete": "1"}
    assert {node: site.back(domid, node) for node in back} == back
    front = {"backend": f"/local/domain/0/backend/xen_9pfs/{domid}/0", "backend-id": "0",
             "state": "1", "tag": "logs"}
    assert {node: site.front(domid, node) for node in front} == front
    perms = site.run("xenstore-ls", "-p", f"/local/domain/{domid}/device/9pfs/0").stdout
    assert f"(n{domid},r0)" in perms.splitlines()[0]
    perms = site.run("xenstore-ls", "-p", f"/local/domain/0/backend/xen_9pfs/{domid}/0").stdout
    assert f"(n0,r{domid})" in perms.splitlines()[0]


def test_default_directories(site):
    domid = site.create()
    site.write("/tool/xenstored/domid", domid)
    assert site.control("attach", str(domid)).returncode == 0
    assert site.back(domid, "path") == "/var/lib/xen/xenstore"
    other = site.create()
    site.write(f"/local/domain/{other}/name", "net/../../evil")
    assert site.control("attach", str(other)).returncode == 0
    assert site.back(other, "path") == f"/var/log/xen/9pfs/{other}"
    third = site.create()
    site.write(f"/local/domain/{third}/name", "net-driver")
    assert site.control("attach", str(third)).returncode == 0
    assert site.back(third, "path") == "/var/log/xen/9pfs/net-driver"


# ---- another domain as the back-end's -------------------------------------------------------


def test_back_end_in_a_driver_domain(site):
    """All of it works as well when the files are not in domain 0."""
    driver = site.create()
    # What libxl writes for a driver domain.
    for path in ("backend", "libxl"):
        site.run("xenstore-write", f"/local/domain/{driver}/{path}", "")
        site.run("xenstore-chmod", f"/local/domain/{driver}/{path}", f"n{driver}")
    process = site.host.popen("guest", driver, "--", SIMXEN, "exec", "--domain", driver, "--",
                              DAEMON, "-F", "--pid-file", os.path.join(site.base, "driver.pid"))
    site.wait(lambda: site.read(f"/local/domain/{driver}/libxl/xen-9pfs/state") == "running",
              "the daemon")
    domid = site.create()
    directory = site.attach(domid, "--backend", str(driver))
    guest = site.guest(domid, driver)
    guest.connect()
    assert site.back(domid, "state", driver) == "4"
    assert guest.log_line("to the driver domain") == "ok"
    assert guest.flush() == "ok"
    assert content(directory, "log") == "to the driver domain\n"
    # What plays the domain ends after the daemon, but does not end it.
    with open(os.path.join(site.base, "driver.pid"), encoding="ascii") as file:
        os.kill(int(file.read()), signal.SIGTERM)
    process.wait(60)


# ---- limits ---------------------------------------------------------------------------------


def test_space(site):
    site.daemon()
    guest, directory = site.connected("--max-space", "1")
    assert guest.ask("write a 900000") == "ok"
    assert guest.ask("write b 200000") == "-28"
    assert guest.ask("remove a") == "ok"
    assert guest.ask("write b 200000") == "ok"
    assert sum(os.path.getsize(os.path.join(directory, n)) for n in os.listdir(directory)) <= 1 << 20


def test_a_limit_of_the_system_on_the_length_of_files(site):
    """It concerns who meets it; the daemon goes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        daemon = site.daemon()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    guest, _ = site.connected()
    other, _ = site.connected()
    assert guest.ask("write a 2000000") == "-27"
    assert other.ask("write a 100000") == "ok"
    assert guest.ask("write a 100000") == "ok"
    assert daemon.process.poll() is None


def test_number_of_files(site):
    site.daemon()
    guest, _ = site.connected("--max-files", "2")
    assert guest.ask("write a 1") == "ok"
    assert guest.ask("write b 1") == "ok"
    assert guest.ask("write c 1") == "-28"


def test_old_files_make_room(site):
    site.daemon()
    guest, directory = site.connected("--max-space", "1", "--auto-delete")
    for name in "abcde":
        assert guest.ask(f"write {name} 400000") == "ok"
    assert sorted(os.listdir(directory)) == ["d", "e"]


# ---- front-ends that do not keep the rules ---------------------------------------------------


def test_wrong_descriptions_of_rings(site):
    daemon = site.daemon()
    guest, _ = site.connected()
    for nodes in ({"version": "1", "num-rings": "1", "ring-ref0": "99999", "event-channel-0": "1"},
                  {"version": "1", "num-rings": "1", "ring-ref0": "1", "event-channel-0": "77777"},
                  {"version": "2", "num-rings": "1", "ring-ref0": "1", "event-channel-0": "1"},
                  {"version": "1", "num-rings": "5"}, {"version": "1", "num-rings": "0"},
                  {"version": "1", "num-rings": "4"},
                  # The domain's ring for the store: granted, but no 9pfs page.
                  {"version": "1", "num-rings": "1", "ring-ref0": "1", "event-channel-0": "1"}):
        domid = site.create()
        site.attach(domid)
        site.wait(lambda: site.back(domid, "state") == "2", "the offer")
        front = f"/local/domain/{domid}/device/9pfs/0"
        for node, value in nodes.items():
            site.write(f"{front}/{node}", value)
        site.write(f"{front}/state", "3")
        site.wait(lambda: site.back(domid, "state") == "6", "the refusal")
        site.write(f"{front}/state", "1")
        site.wait(lambda: site.back(domid, "state") == "2", "the next offer")
    assert guest.ask("write file 1000") == "ok"
    assert daemon.process.poll() is None


def test_spoilt_rings(site):
    """Its connection ends, the others' do not, and it may begin anew."""
    daemon = site.daemon()
    guest, _ = site.connected()
    other, _ = site.connected()
    for _ in range(2):
        assert guest.ask("spoil") == "ok"
        site.wait(lambda: "does not keep the rules" in daemon.log(), "the end of the connection")
        assert other.ask("write file 1000") == "ok"
        site.wait(lambda: guest.ask("work 50") == "ok" and guest.ask("write file 1000") == "ok",
                  "a new connection")
    assert daemon.process.poll() is None


def test_nonsense_in_the_back_ends_nodes(site):
    """A toolstack's mistakes do not end the daemon."""
    daemon = site.daemon()
    base = "/local/domain/0/backend/xen_9pfs"
    for path, value in ((f"{base}/x/y/z", "1"), (f"{base}/99999/0/state", "1"),
                        (f"{base}/1/x/state", "1"), (f"{base}/7/0/state", "nonsense"),
                        (f"{base}/8/0/frontend", "/nowhere"), (f"{base}/8/0/state", "1"),
                        (f"{base}/9/0/frontend", "x" * 2000), (f"{base}/9/0/state", "1"),
                        (f"{base}/10/0", "")):
        site.write(path, value)
    guest, _ = site.connected()
    assert guest.ask("write file 1000") == "ok"
    site.run("xenstore-rm", base)
    guest.ask("work 200")
    assert daemon.process.poll() is None
    other, _ = site.connected()
    assert other.ask("write file 1000") == "ok"


def test_a_security_model_that_is_not_known(site):
    site.daemon()
    domid = site.create()
    site.attach(domid)
    site.write(f"/local/domain/0/backend/xen_9pfs/{domid}/0/security_model", "mapped")
    guest = site.guest(domid)
    assert guest.ask("connected 500") == "no"


# ---- the program ----------------------------------------------------------------------------


def test_without_a_xenstore_there_is_nothing_to_do(site):
    daemon = site.daemon()
    site.connected()
    site.store.kill()
    assert daemon.process.wait(DEADLINE) == 1
    assert "the connection to the Xenstore is lost" in daemon.log()


def test_one_at_a_time(site):
    site.daemon()
    second = site.daemon(running=False)
    assert second.process.wait(60) == 1
    assert "already running" in second.log()


def test_help(site):
    for words in (["--help"], ["attach", "--help"], ["detach", "-h"]):
        done = subprocess.run([DAEMON, *words], capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 0
        assert "--max-open-files" in done.stdout
    done = subprocess.run([DAEMON, "nonsense"], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 2


def test_in_the_background(site):
    pid_file = os.path.join(site.base, "background.pid")
    done = site.run(DAEMON, "--pid-file", pid_file)
    assert done.returncode == 0, done.stderr
    assert site.read("/local/domain/0/libxl/xen-9pfs/state") == "running"
    with open(pid_file, encoding="ascii") as file:
        pid = int(file.read())
    try:
        guest, _ = site.connected()
        assert guest.ask("write file 1000") == "ok"
    finally:
        os.kill(pid, signal.SIGTERM)
    site.wait(lambda: not os.path.exists(pid_file), "the daemon's end")
