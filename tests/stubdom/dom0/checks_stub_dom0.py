# SPDX-License-Identifier: GPL-2.0-or-later
"""What dom0, which has been started as ever, has of the domain that is its xenstored."""

import os

import xswire
from framework import Skip, check, equal, wait_until
from host import command


@check("xenconsoled has what the domain says on its console")
def console(host):
    if not host.domid:
        raise Skip("our daemon in its place")
    log = "/var/log/xen/guest-Xenstore.log"
    wait_until(lambda: os.path.exists(log) and "xenstored" in open(log).read(), log)


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
