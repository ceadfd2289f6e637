# SPDX-License-Identifier: GPL-2.0-or-later
"""With what rights xenstore-9pfsd serves, and that they are enough."""

import glob
import os
import pwd
import socket
import stat

import pytest

from tests.ninep.files import DAEMON, content

CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")
USER = "nobody"


def tasks(process):
    """What the kernel says of each thread."""
    found = []
    for path in glob.glob(f"/proc/{process.pid}/task/*/status"):
        with open(path, encoding="ascii") as file:
            found.append(dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line))
    return found


def serves(site):
    guest, directory = site.connected()
    assert guest.ask("write file 100000") == "ok"
    assert guest.ask("read file") == "100000"
    assert guest.log_line("hello") == "ok"
    assert guest.flush() == "ok"
    assert content(directory, "log") == "hello\n"
    assert guest.ask("remove file") == "ok"
    return guest, directory


def confined(*left):
    """A command in front of others, which leaves these capabilities."""
    sets = ",".join(["-all", *(f"+{name}" for name in left)])
    return ["setpriv", "--bounding-set", sets, "--inh-caps", "-all", "--no-new-privs"]


def test_nothing_is_left(site):
    daemon = site.daemon()
    serves(site)
    found = tasks(daemon.process)
    assert len(found) >= 3  # the Xenstore's reader, the service, the connection
    for status in found:
        assert [int(status[name], 16) for name in CAPABILITIES] == [0] * 4, status
        assert status["NoNewPrivs"] == "1"
        if os.geteuid() == 0:
            assert int(status["CapBnd"], 16) == 0


def test_in_the_background_too(site):
    """Its command ends with status 0 and says nothing, as without."""
    pid_file = os.path.join(site.base, "background.pid")
    done = site.run(DAEMON, "--pid-file", pid_file)
    assert done.returncode == 0, done.stderr
    with open(pid_file, encoding="ascii") as file:
        pid = int(file.read())
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            assert "NoNewPrivs:\t1\n" in file
        serves(site)
    finally:
        os.kill(pid, 15)
    site.wait(lambda: not os.path.exists(pid_file), "the daemon's end")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give up a bounding set")
def test_started_with_as_little_as_the_unit_gives(site):
    process = site.start("9pfsd", [*confined(), DAEMON, "-F", "--pid-file",
                                   os.path.join(site.base, "9pfsd.pid")])
    site.wait(lambda: site.read("/local/domain/0/libxl/xen-9pfs/state") == "running", "the daemon")
    serves(site)
    process.end()


def open_to_all(path):
    """What an administrator does to the Xen devices, here sockets and a file of memory."""
    for where, directories, files in os.walk(path):
        os.chmod(where, 0o711)
        for name in directories + files:
            name = os.path.join(where, name)
            if stat.S_ISSOCK(os.lstat(name).st_mode) or stat.S_ISREG(os.lstat(name).st_mode):
                os.chmod(name, 0o666)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
@pytest.mark.parametrize("before", ([], confined("setuid", "setgid")))
def test_another_user(site, before):
    user = pwd.getpwnam(USER)
    domid = site.create()
    directory = site.attach(domid)
    open_to_all(site.base)
    os.mkdir(directory, 0o700)
    os.chown(directory, user.pw_uid, user.pw_gid)
    # The Xenstore stays root's alone: it is opened before.
    os.chmod(os.path.join(site.host.dir, "xenstored", "socket"), 0o600)
    daemon = site.start("9pfsd", [*before, DAEMON, "-F", "--user", USER, "--pid-file",
                                  os.path.join(site.base, "9pfsd.pid")])
    guest = site.guest(domid)
    guest.connect()
    assert guest.ask("write file 100000") == "ok"
    assert guest.ask("read file") == "100000"
    for status in tasks(daemon.process):
        assert status["Uid"].split() == [str(user.pw_uid)] * 4
        assert status["Gid"].split() == [str(user.pw_gid)] * 4
        assert "0" not in status["Groups"].split()
    assert os.stat(os.path.join(directory, "file")).st_uid == user.pw_uid
    daemon.end()


def test_a_user_that_does_not_exist(site):
    daemon = site.daemon("--user", "no-such-user-here", running=False)
    assert daemon.process.wait(60) == 1
    assert "there is no user no-such-user-here" in daemon.log()


def test_readiness(site):
    """The service manager is told, once, when the daemon serves."""
    path = os.path.join(site.base, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(60)
        site.env["NOTIFY_SOCKET"] = path
        daemon = site.daemon(running=False)
        del site.env["NOTIFY_SOCKET"]
        text = manager.recv(1000).decode()
        assert text.split("\n") == ["READY=1", f"MAINPID={daemon.process.pid}"]
        assert site.read("/local/domain/0/libxl/xen-9pfs/state") == "running"
        serves(site)
        daemon.end()
        manager.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.recv(1000)
