# SPDX-License-Identifier: GPL-2.0-or-later
"""The start of dom0 in the order in which a distribution has it with XENSTORETYPE=domain."""

import os

import xswire
from framework import Skip, check, equal, wait_until
from host import command
from stub_host import IMAGE, MEMORY_MB


@check("the image is an ELF file below 2 MB")
def small(_host):
    assert open(IMAGE, "rb").read(4) == b"\x7fELF"
    assert os.path.getsize(IMAGE) < 2 << 20, os.path.getsize(IMAGE)


@check("init-xenstore-domain starts the domain and ends, having been answered")
def start(host):
    host.start()
    assert not host.gone()
    if not host.domid:
        raise Skip("our daemon in its place")
    equal(host.client.read("/tool/xenstored/domid"), b"1")


@check("what init-xenstore-domain wrote is in the store")
def written(host):
    client = host.client
    equal(client.read("/local/domain/1/name"), b"Xenstore")
    equal(client.read("/local/domain/1/domid"), b"1")
    equal(int(client.read("/local/domain/1/memory/target")), MEMORY_MB * 1024)


@check("a second Xenstore domain is refused by the tool, and the first goes on")
def second(host):
    ran = command("init-xenstore-domain", "--kernel", IMAGE, "--memory", "8", ok=False)
    assert ran.status != 0
    equal(host.client.read("/tool/xenstored/domid"), b"1")


@check("xen-init-dom0 makes dom0's part of the store")
def init_dom0(host):
    command("xen-init-dom0")
    equal(host.client.read("/local/domain/0/domid"), b"0")
    equal(host.client.read("/local/domain/0/name"), b"Domain-0")


@check("xenconsoled starts, stays, and has what the domain says on its console")
def console_daemon(host):
    command("xenconsoled", "--log=all", "--log-dir=/var/log/xen", "--pid-file=/run/xenconsoled.pid")
    path = "/run/xenconsoled.pid"
    pid = wait_until(lambda: os.path.exists(path) and open(path).read().strip(), "a pid file")
    if not host.domid:
        return
    log = "/var/log/xen/guest-Xenstore.log"
    wait_until(lambda: os.path.exists(log) and "xenstored" in open(log).read(), log)
    assert os.path.exists(f"/proc/{pid}")


@check("xl list shows dom0 and the Xenstore domain")
def list_domains(host):
    names = [line.split()[0] for line in command("xl", "list").output.splitlines()[1:]]
    equal(names, ["Domain-0", "Xenstore"])
    assert host.client.is_introduced(0)


@check("requests that the daemon answers are answered here, by the same code")
def control(host):
    assert "live-update" in command("xenstore-control", "help").output
    command("xenstore-control", "check")
    with host.new_client() as other:
        equal(other.error_of(xswire.Type.READ, b"/none\0"), "ENOENT")


for function in (start, init_dom0, console_daemon):
    function.start = True
