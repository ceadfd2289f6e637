# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of the domain in dom0, by xenstore-9pfsd: log, trace and report; a back-end that dies."""

import os
import signal
import subprocess
import time

from framework import Skip, check, equal, wait_until
from host import command

DIRECTORY = "/var/lib/xen/xenstore"
LOG = f"{DIRECTORY}/xenstored.log"
DAEMON = "/sbin/xenstore-9pfsd"


class FilesDaemon:
    """xenstore-9pfsd, in the foreground, so that it can be killed."""

    process = None

    @classmethod
    def start(cls):
        log = open("/var/log/xen/xenstore-9pfsd.log", "ab")
        cls.process = subprocess.Popen([DAEMON, "-F", "--pid-file", "/run/xenstore-9pfsd.pid"],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @classmethod
    def kill(cls):
        cls.process.send_signal(signal.SIGKILL)
        cls.process.wait()


def attach(host):
    """The domain has the device, and somebody serves it."""
    if not os.path.exists(DAEMON):
        raise Skip("there is no xenstore-9pfsd")
    if not FilesDaemon.process:
        FilesDaemon.start()
        command("xenstore-9pfsd", "attach", str(host.domid), "--wait", "30", timeout=60)


def lines():
    if not os.path.exists(LOG):
        return []
    with open(LOG, encoding="latin-1") as stream:
        return stream.read().splitlines()


def say(host, text):
    """Lets the domain log a line."""
    equal(host.client.control("print", text), "OK")


def expect_line(host, text, seconds=30):
    wait_until(lambda: any(text in line for line in lines()), f"{text!r} in the log", seconds)


@check("log lines arrive in a file in dom0, those from before the device as well", deadline=90)
def log_file(host):
    attach(host)
    expect_line(host, " as domain 1 on Xen ")
    say(host, "the first line")
    expect_line(host, "the first line")
    equal(host.client.read(f"/local/domain/{host.domid}/device/9pfs/0/state"), b"4")


@check("the trace and a memory report are written to files in dom0", deadline=60)
def trace_file(host):
    attach(host)
    equal(host.client.control("logfile", "trace.log"), "OK")
    host.client.write("/traced", b"")
    host.client.rm("/traced")
    path = f"{DIRECTORY}/trace.log"
    wait_until(lambda: os.path.exists(path) and "/traced" in open(path).read(), path)
    equal(host.client.control("log", "off"), "OK")
    equal(host.client.control("memreport", "memory.txt"), "OK")
    path = f"{DIRECTORY}/memory.txt"
    wait_until(lambda: os.path.exists(path) and "live tree" in open(path).read(), path)


@check("a back-end that dies holds up nobody; its successor gets what was logged meanwhile",
       deadline=200)
def back_end_dies(host):
    attach(host)
    FilesDaemon.kill()
    start = time.monotonic()
    for i in range(20):
        say(host, f"without a back-end {i}")
        host.client.write("/alive", str(i))
        equal(host.client.read("/alive"), str(i).encode())
    assert time.monotonic() - start < 30
    host.client.rm("/alive")
    FilesDaemon.start()
    expect_line(host, "without a back-end 19", 90)
    found = [line for line in lines() if "without a back-end" in line]
    equal(found, sorted(set(found), key=found.index), "lines, each once")
