# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of docs/9pfs.md, as they stand there, on a simulated host."""

import os
import re
import signal
import subprocess

import pytest

from tests.lib.daemon import ROOT, die_with_parent
from tests.ninep.files import BUILD
from tests.simxen.host import SIMXEN

SECTION = "## All logs in one place"
# The steps for a service manager and for the kernel of a domain, neither of which is here.
ELSEWHERE = ("systemctl", "mount")


def steps():
    """The commands of the section: its indented lines."""
    with open(ROOT / "docs" / "9pfs.md", encoding="utf-8") as file:
        text = file.read()
    section = text.split(SECTION + "\n", 1)[1].split("\n## ", 1)[0]
    return [line.strip() for line in re.findall(r"^    (.*)$", section, re.M)]


class Place:
    """Mounts of its own, so that the host's directories are not touched."""

    def __init__(self, site):
        self.site = site
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c",
             "for d in /run /var/log /var/lib; do mount -t tmpfs none $d; done; echo; exec sleep 1000"],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        if self.holder.stdout.readline() != b"\n":  # not root, or in a container, or in a chroot
            self.holder.wait()
            self.holder.stdout.close()
            pytest.skip("no mounts of its own are possible here")

    def run(self, line):
        env = dict(self.site.env, PATH=f"{BUILD}:{os.environ['PATH']}:/usr/sbin:/sbin")
        return subprocess.run(["nsenter", "--mount", "--target", str(self.holder.pid),
                               SIMXEN, "exec", "--", "sh", "-c", line],
                              env=env, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=60)

    def path(self, path):
        return f"/proc/{self.holder.pid}/root{path}"

    def content(self, path):
        with open(self.path(path), encoding="utf-8") as file:
            return file.read()

    def close(self):
        try:
            os.kill(int(self.content("/run/xen/xenstore-9pfsd.pid")), signal.SIGTERM)
        except OSError:
            pass
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


@pytest.fixture
def place(site):
    made = Place(site)
    yield made
    made.close()


def test_all_logs_in_one_place(site, place):
    guests = {}
    for name in ("Xenstore", "net-driver"):
        domid = site.create()
        site.write(f"/local/domain/{domid}/name", name)
        guests[name] = site.guest(domid)
        assert guests[name].log_line(f"from {name}") == "ok"
    site.write("/tool/xenstored/domid", guests["Xenstore"].domid)
    programs = set()
    for line in steps():
        program = line.split()[0]
        programs.add(program)
        if program in ELSEWHERE:
            continue
        if program == "xenstore-ls":
            for guest in guests.values():
                guest.connect()
                assert guest.flush() == "ok"
        detach = line.startswith("xenstore-9pfsd detach")
        if detach:
            guests["net-driver"].put("gone 60000")
        done = place.run(line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        if program == "xenstore-ls":
            assert done.stdout.count('state = "4"') == 2
        if program == "ls":
            assert "log" in done.stdout.split()
        if detach:
            assert guests["net-driver"].get() == "yes"
    assert {"xenstore-9pfsd", "xenstore-ls", "ls", *ELSEWHERE} <= programs
    for name, path in (("Xenstore", "/var/lib/xen/xenstore/log"),
                       ("net-driver", "/var/log/xen/9pfs/net-driver/log")):
        assert place.content(path) == f"from {name}\n"


def test_every_step_is_known():
    """So that the test above leaves out nothing by mistake."""
    found = {line.split()[0] for line in steps()}
    assert found == {"xenstore-9pfsd", "xenstore-ls", "ls", *ELSEWHERE}
