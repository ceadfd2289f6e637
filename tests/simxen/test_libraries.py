# SPDX-License-Identifier: GPL-2.0-or-later
"""The look-alikes of the Xen libraries: what a process of the host sees."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.lib.daemon import ROOT
from tests.peers import peer
from tests.simxen.host import Host

LIBRARIES = ROOT / "build" / "simxen-lib"


def exported(library):
    """{name: version}"""
    output = subprocess.run(["objdump", "-T", str(library)], capture_output=True, text=True,
                            check=True).stdout
    found = re.findall(r"^\S+ g    D[FO] \.\S+\s+\S+\s+(\S+)\s+(\S+)$", output, re.M)
    return {name: version for version, name in found}


def soname(library):
    output = subprocess.run(["objdump", "-p", str(library)], capture_output=True, text=True,
                            check=True).stdout
    return re.search(r"SONAME\s+(\S+)", output).group(1)


@pytest.mark.parametrize("name", ["libxenevtchn.so.1", "libxengnttab.so.1", "libxencall.so.1"])
def test_names_and_versions_are_debians(name):
    libraries = peer.extracted()["PEER_LIBS"]
    if not libraries:
        pytest.skip("Debian's libraries are not fetched (make deps)")
    real = Path(libraries) / name
    assert soname(LIBRARIES / name) == soname(real) == name
    assert exported(LIBRARIES / name) == exported(real)


@pytest.mark.parametrize("name", ["libxenctrl.so.4.17", "libxenguest.so.4.17"])
def test_the_versions_of_what_is_not_complete_are_debians(name):
    libraries = peer.extracted()["PEER_LIBS"]
    if not libraries:
        pytest.skip("Debian's libraries are not fetched (make deps)")
    ours = exported(LIBRARIES / name)
    real = exported(Path(libraries) / name)
    assert ours
    assert dict(ours.items() - real.items()) == {}


def test_an_event_reaches_the_other_end_once_until_it_is_unmasked(host):
    output = host.python("""
a, b = Evtchn(), Evtchn()
port = a.bind_unbound(0)
other = b.bind_interdomain(0, port)
assert b.pending() == other          # a new channel begins with an event
b.unmask(other)
assert a.pending(0.2) in (None, port)
a.unmask(port)
b.notify(other); b.notify(other)
assert a.pending() == port
b.notify(other)
assert a.pending(0.2) is None        # masked
a.unmask(port)
assert a.pending() == port
print("ok")
""").stdout
    assert output == "ok\n"


def test_ports_belong_to_the_descriptor(host):
    """They survive exec and fdopen, and end with the last close."""
    output = host.python("""
import sys
a = Evtchn(flags=NO_CLOEXEC)
port = a.bind_virq()
assert Evtchn().bind_virq() == -errno.EEXIST
os.set_inheritable(a.fileno(), True)
code = '''
import sys; sys.path.insert(0, %r)
from xenlibs import *
a = Evtchn(fd=%d)
assert a.bind_virq() == -errno.EEXIST
assert a.unbind(%d) == 0
port = a.bind_virq()
assert port > 0
a.close()
b = Evtchn()
assert b.bind_virq() > 0
print("ok")
''' % (sys.path[0], a.fileno(), port)
os.execv(sys.executable, [sys.executable, "-c", code])
""").stdout
    assert output == "ok\n"


def test_without_the_flag_the_descriptor_does_not_survive(host):
    output = host.python("""
import fcntl
print([bool(fcntl.fcntl(Evtchn(flags=f).fileno(), fcntl.F_GETFD) & fcntl.FD_CLOEXEC)
       for f in (0, NO_CLOEXEC)])
""").stdout
    assert output == "[True, False]\n"


def test_a_port_of_another_handle_cannot_be_touched(host):
    output = host.python("""
a, b = Evtchn(), Evtchn()
port = a.bind_unbound(0)
print(b.unbind(port) == -errno.ENOTCONN, a.unbind(port), a.bind_interdomain(9, 1) == -errno.ESRCH)
""").stdout
    assert output == "True 0 True\n"


def test_a_granted_page_is_the_guests(host):
    domid = host.create()
    output = host.python(f"""
import ctypes
g = Gnttab()
a, b = g.map({domid}), g.map({domid})
ctypes.memmove(a, b"hello", 5)
print(ctypes.string_at(b, 5), g.map({domid}, 2) == -errno.EINVAL, g.map(9) == -errno.EINVAL)
print(g.unmap(a), g.unmap(a) == -errno.ENOENT, ctypes.string_at(b, 5))
with open(os.environ["SIMXEN_DIR"] + "/memory", "rb") as memory:
    memory.seek({domid} * 4096)
    print(memory.read(5))
""").stdout
    assert output == "b'hello' True True\n0 True b'hello'\nb'hello'\n"


def test_who_maps_a_page_keeps_its_domain_from_going(host):
    """The domid is free again when the last one unmaps, here by its end; the page is empty then."""
    host.create(7)
    output = host.python("""
import ctypes, subprocess
simxen = lambda *a: subprocess.run([os.environ["T_SIMXEN"], *a], capture_output=True, text=True)
m, g = Manage(), Gnttab()
ctypes.memmove(g.map(7), b"secret", 6)
assert simxen("destroy", "7").returncode == 0
print(m.info(7)[0], g.map(7) == -errno.EINVAL)
""".replace('os.environ["T_SIMXEN"]', repr(str(ROOT / "build" / "simxen")))).stdout
    assert output == "9 True\n"
    host.create(7)
    with open(host.dir + "/memory", "rb") as memory:
        memory.seek(7 * 4096)
        assert memory.read(6) == bytes(6)


def test_changed_domains_are_told_one_by_one(host):
    for domid in (3, 200):
        host.create("--bare", domid)
    output = host.python(f"""
import subprocess
def simxen(*a): subprocess.run([{str(ROOT / 'build' / 'simxen')!r}, *a], check=True, capture_output=True)
m, e = Manage(), Evtchn()
print(m.changed() == -errno.ENOENT)
port = e.bind_virq()
print([c[:3] for c in m.all_changed()])
simxen("create", "--bare", "100"); print([c[:3] for c in m.all_changed()])
simxen("shutdown", "100")
assert e.pending() == port; e.unmask(port)
print([c[:3] for c in m.all_changed()])
simxen("destroy", "100")
assert e.pending() == port; e.unmask(port)
print(m.all_changed(), m.info(100) == -errno.ESRCH)
""").stdout
    assert output.splitlines() == [
        "True", "[(0, 1, 3), (3, 1, 0), (200, 1, 0)]", "[(100, 1, 0)]", "[(100, 3, 0)]",
        "[(100, 0, 0, 0)] True"]


def test_errors_of_the_domain_state_operation(host):
    domid = host.create()
    output = host.python(f"""
c, m = Call(), Manage()
print([c.domctl(*a)[0] for a in ((90, 0, 0), (90, 1, 0), (90, 0, 77), (90, 0, {domid}, 1),
                                 (90, 0, 0x7ff4))])
print(c.domctl_at(16), m.info(0x7ff0))
""").stdout
    assert output == "[0, -13, -3, -22, -2]\n-14 -22\n"
    output = host.python(f"""
c = Call()
print([c.domctl(*a)[0] for a in ((90, 0, 0), (90, 0, {domid}), (90, 0, 77))])
""", domid=domid).stdout
    assert output == "[-1, -1, -1]\n"


def test_an_older_xen_knows_only_the_old_information():
    with Host("--xen", "4.17") as host:
        domid = host.create()
        host.run("shutdown", domid, "reboot")
        output = host.python("""
c, x = Call(), Ctrl()
print(c.domctl(90, 0, 0)[0], c.domctl(5, 0x15, 0)[0], c.domctl(5, 0x17, 0)[0])
print(x.getinfo(0)[0], x.getinfo(1)[0], x.getinfo(1)[2], x.getinfo(2) == -errno.ESRCH)
""").stdout
        assert output == f"-13 0 -13\n0 {domid} 1 True\n"


def test_files_of_xen_are_there_and_others_are_untouched(host):
    output = host.python("""
import mmap
print(open("/proc/xen/capabilities").read(), int(open("/proc/xen/xsd_port").read()))
with open("/proc/xen/xsd_kva", "r+b", buffering=0) as kva:
    mmap.mmap(kva.fileno(), 4096)[:5] = b"ring0"
with open(os.environ["SIMXEN_DIR"] + "/memory", "rb") as memory:
    print(memory.read(5), os.path.exists("/proc/xen/nothing"), open("/proc/self/comm").read())
""").stdout
    assert output == "control_d\n 1\nb'ring0' False python3\n\n"


def test_when_the_host_ends_devices_fail(host):
    process = host.popen("exec", "--", "/usr/bin/python3", "-c", """
import sys; sys.path.insert(0, %r)
from xenlibs import *
e = Evtchn(); e.bind_virq(); print("bound", flush=True)
print(e.pending() == -errno.ENODEV, Manage)
""" % str(ROOT / "tests" / "simxen"))
    assert process.stdout.readline() == "bound\n"
    host.run("stop")
    assert process.stdout.readline().startswith("True")


def test_pages_that_a_guest_shares(host):
    """Mapped by reference as long as they are shared; new ones hold nothing old."""
    domid, other = host.create(), host.create()
    output = host.python(f"""
import ctypes, subprocess, sys
sharer = '''
import sys; sys.path.insert(0, %r)
from xenlibs import *
s = Gntshr()
address, refs = s.share(0, 3)
ctypes.memmove(address + 4096, b"second", 6)
print(*refs, flush=True)
sys.stdin.readline()
print(s.unshare(address, 3), flush=True)
sys.stdin.readline()
address, again = s.share(0)
print(ctypes.string_at(address, 6) == bytes(6), again[0] in refs, flush=True)
address, refs = s.share({other}, writable=False)
print(refs[0], flush=True)
sys.stdin.readline()
''' % sys.path[0]
guest = subprocess.Popen([sys.executable, "-c", sharer], env=dict(os.environ, SIMXEN_DOMID="{domid}"),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
def go():
    print(file=guest.stdin, flush=True)
def line():
    return guest.stdout.readline().split()
g = Gnttab()
refs = [int(ref) for ref in line()]
pages = [g.map({domid}, ref) for ref in refs]
print(min(refs) >= 8, len(set(refs)), ctypes.string_at(pages[1], 6))
go(); print(line())
print([g.map({domid}, ref) == -errno.EINVAL for ref in refs], ctypes.string_at(pages[1], 6))
print([g.unmap(page) for page in pages])
go(); print(line())
foreign = int(line()[0])
print(g.map({domid}, foreign) == -errno.EINVAL)
guest.kill(); guest.wait()
print(g.map({domid}, refs[0]) == -errno.EINVAL)
""").stdout
    assert output == ("True 3 b'second'\n['0']\n[True, True, True] b'second'\n[0, 0, 0]\n"
                      "['True', 'True']\nTrue\nTrue\n")
