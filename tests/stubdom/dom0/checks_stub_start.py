# SPDX-License-Identifier: GPL-2.0-or-later
"""The start of the Xenstore domain, as a distribution has it with XENSTORETYPE=domain."""

import os

from framework import Skip, check, equal
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


start.start = True
