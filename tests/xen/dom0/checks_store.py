# SPDX-License-Identifier: GPL-2.0-or-later
"""The store in dom0, through the socket and through the kernel's own ring."""

import os
import threading

import xswire
from framework import check, equal
from host import SOCKET, RingClient, command

NAMES = ["vif", "vbd", "9pfs", "console", "vfb", "pci", "a", "0", "10", "9"]


@check("the back-end for domain state is chosen by what the hypervisor has, and logged", ours=True)
def back_end(host):
    expected = "back-end hypercall" if host.version >= (4, 21) else "back-end xenctrl"
    assert expected in host.log.text(), host.log.text()


@check("the log says that identities of domains are not exact on this version", ours=True)
def inexact(host):
    exact = host.version >= (4, 21)
    equal("may go unnoticed" in host.log.text(), not exact)


@check("with the stable hypercall no library without a stable interface is loaded", ours=True,
       since=(4, 21))
def stable_only(host):
    with open(f"/proc/{host.pid}/maps") as stream:
        maps = stream.read()
    assert "libxenctrl" not in maps and "domstate-xenctrl" not in maps


@check("dom0 counts as introduced")
def dom0_introduced(host):
    assert host.client.is_introduced(0)
    equal(host.client.get_domain_path(0), "/local/domain/0")


@check("test-xenstore passes", deadline=120)
def test_xenstore(_host):
    output = command("test-xenstore", "-i", "3", timeout=110).output
    assert "failed" not in output.lower(), output


@check("the distribution's clients write, read, list, change permissions and remove")
def clients(host):
    command("xenstore-write", "/tools/a", "one", "/tools/b", "two")
    equal(command("xenstore-read", "/tools/a", "/tools/b").output, "one\ntwo\n")
    equal(command("xenstore-list", "/tools").output, "a\nb\n")
    command("xenstore-chmod", "/tools/a", "n0", "r5")
    equal(host.client.get_perms("/tools/a"), ["n0", "r5"])
    listed = " ".join(command("xenstore-ls", "-p", "/tools").output.replace(".", " ").split())
    assert listed.startswith('a = "one" (n0,r5) b = "two"'), listed
    command("xenstore-exists", "/tools/b")
    command("xenstore-rm", "/tools")
    assert command("xenstore-read", "/tools/a", ok=False).status != 0


@check("a directory is listed in the order of creation")
def order(host):
    for client in (host.new_client(), RingClient()):
        with client:
            for name in NAMES:
                client.write(f"/order/{name}", b"")
            equal(client.ls("/order"), NAMES)
            client.rm("/order/console")
            client.write("/order/vif", b"again")
            client.write("/order/console", b"")
            equal(client.ls("/order"), [n for n in NAMES if n != "console"] + ["console"])
            client.rm("/order")


@check("a directory larger than one message is listed whole, in order")
def large_directory(host):
    names = [f"n{(i * 7919) % 3000:04}-with-a-longer-name" for i in range(3000)]
    host.client.pipeline_ok([(xswire.Type.WRITE, xswire.strings(f"/large/{n}")) for n in names])
    equal(host.client.error_of(xswire.Type.DIRECTORY, b"/large\0"), "E2BIG")
    equal(host.client.ls_parts("/large"), names)
    equal(command("xenstore-list", "/large").output.split(), names)
    host.client.rm("/large")


@check("the dom0 kernel's ring reads and writes what the socket sees")
def ring(host):
    with RingClient() as ring_client:
        ring_client.write("/ring/a", b"by the ring")
        equal(host.client.read("/ring/a"), b"by the ring")
        host.client.write("/ring/a", b"by the socket")
        equal(ring_client.read("/ring/a"), b"by the socket")
        equal(ring_client.get_perms("/ring/a"), ["n0"])
        equal(ring_client.error_of(xswire.Type.READ, b"/ring/none\0"), "ENOENT")
        ring_client.rm("/ring")
        assert not host.client.exists("/ring")


@check("values larger than the ring pass through the kernel's ring")
def large_values(host):
    with RingClient() as ring_client:
        for size in (1000, 1024, 1500, 3000, 4000):
            value = bytes((i * 13 + size) % 256 for i in range(size))
            ring_client.write("/big", value)
            equal(host.client.read("/big"), value)
            equal(ring_client.read("/big"), value)
        ring_client.rm("/big")


@check("a transaction on the kernel's ring is isolated and then committed")
def transaction(host):
    with RingClient() as ring_client:
        tx = ring_client.transaction_start()
        ring_client.write("/tx/a", b"1", tx)
        assert not host.client.exists("/tx/a")
        equal(ring_client.read("/tx/a", tx), b"1")
        assert ring_client.commit(tx)
        equal(host.client.read("/tx/a"), b"1")
        tx = ring_client.transaction_start()
        ring_client.write("/tx/a", b"2", tx)
        ring_client.transaction_end(tx, commit=False)
        equal(host.client.read("/tx/a"), b"1")


@check("of two transactions that depend on each other the second gets EAGAIN, ring or socket")
def conflict(host):
    with RingClient() as ring_client:
        host.client.write("/tx/n", b"0")
        for one, two in ((ring_client, host.client), (host.client, ring_client)):
            first, second = one.transaction_start(), two.transaction_start()
            for client, tx in ((one, first), (two, second)):
                client.write("/tx/n", client.read("/tx/n", tx) + b"1", tx)
            assert one.commit(first)
            assert not two.commit(second)
        equal(host.client.read("/tx/n"), b"011")
        host.client.rm("/tx")


@check("a transaction of a client of the kernel's ring that goes away is forgotten")
def abandoned(host):
    for _ in range(20):
        with RingClient() as ring_client:
            ring_client.write("/gone", b"x", ring_client.transaction_start())
    assert not host.client.exists("/gone")


@check("watches of the kernel's ring fire for changes by the socket")
def ring_watch(host):
    with RingClient() as ring_client:
        ring_client.watch("/watched", "token")
        host.client.write("/watched/below", b"")
        equal(tuple(ring_client.wait_event()), ("/watched/below", "token"))
        host.client.rm("/watched")
        equal(tuple(ring_client.wait_event()), ("/watched", "token"))
        ring_client.unwatch("/watched", "token")
        host.client.write("/watched", b"")
        ring_client.sync()
        equal(list(ring_client.events), [])
        host.client.rm("/watched")


@check("many users of the kernel's ring at once get each their own answers")
def crowd(host):
    done = []

    def work(number):
        with RingClient() as ring_client:
            for i in range(40):
                ring_client.write(f"/crowd/{number}", str(i))
                equal(ring_client.read(f"/crowd/{number}"), str(i).encode())
        done.append(number)

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    equal(sorted(done), list(range(6)), "those that got all their answers")
    equal(sorted(host.client.ls("/crowd")), [str(i) for i in range(6)])
    host.client.rm("/crowd")


@check("without the socket the client library uses the kernel's device")
def library_on_ring(host):
    host.client.write("/by-library", b"seen")
    os.rename(SOCKET, SOCKET + ".away")
    try:
        equal(command("xenstore-read", "/by-library").output, "seen\n")
    finally:
        os.rename(SOCKET + ".away", SOCKET)
    host.client.rm("/by-library")
