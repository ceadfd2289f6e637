# SPDX-License-Identifier: GPL-2.0-or-later
"""The start of dom0 in the order of the distribution's init script."""

import os
import signal

import xswire
from framework import check, equal, wait_until
from host import PID_FILE, RingClient, command


@check("dom0 is the control domain and has the devices that xenstored needs")
def devices(_host):
    assert "control_d" in open("/proc/xen/capabilities").read()
    for name in ("evtchn", "gntdev", "privcmd", "xenbus"):
        assert os.path.exists(f"/dev/xen/{name}"), name
    assert int(open("/proc/xen/xsd_port").read()) > 0


@check("xenstored starts, as init starts it, and answers")
def start(host):
    host.early = RingClient()
    host.early.send(xswire.Type.READ, xswire.strings("/tool"))
    host.start_xenstored()
    equal(int(open(PID_FILE).read()), host.pid)
    assert host.client.exists("/tool")
    assert not host.gone()


@check("what dom0's kernel had put on its ring before the start is answered")
def early_request(host):
    reply = host.early.recv_reply()
    equal((reply.type, reply.payload), (xswire.Type.READ, b""))
    host.early.close()


@check("the start command ends when the daemon serves, not before", ours=True)
def ready(host):
    assert host.client_after_start.exists("/tool/xenstored")


@check("xen-init-dom0 makes dom0's part of the store")
def init_dom0(host):
    command("xen-init-dom0")
    equal(host.client.read("/local/domain/0/domid"), b"0")
    equal(host.client.read("/local/domain/0/name"), b"Domain-0")


@check("xenconsoled starts and stays")
def console_daemon(_host):
    command("xenconsoled", "--log=all", "--log-dir=/var/log/xen", "--pid-file=/run/xenconsoled.pid")
    path = "/run/xenconsoled.pid"
    pid = wait_until(lambda: os.path.exists(path) and open(path).read().strip(), "a pid file")
    assert os.path.exists(f"/proc/{pid}")


@check("xl list shows dom0")
def list_domains(host):
    assert "Domain-0" in command("xl", "list").output
    if host.kill_after_start:
        os.kill(host.pid, signal.SIGKILL)
        wait_until(host.gone, "its end")


for function in (start, init_dom0, console_daemon, list_domains):
    function.start = True
