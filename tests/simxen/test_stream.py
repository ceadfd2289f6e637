# SPDX-License-Identifier: GPL-2.0-or-later
"""simxen stream, on streams put together here by what docs/hypervisor-stream.md says."""

import struct
import subprocess

import pytest

from tests.simxen.host import SIMXEN

MASK = (1 << 64) - 1
NONE = 0x7FF4
(MACHINE, DOMAINS, VIRQS, CHANGED, REGIONS, M2P, SOFTWARE) = range(1, 8)
DOMAIN = 16
(GENERAL, VCPUS, P2M, PAGES, GRANTS, EVTCHN_2LEVEL, EVTCHN_FIFO, MAPPINGS, FOREIGN, IOREQ,
 IOMMU) = range(17, 28)
END = 32
REQUIRED = (sum(1 << t for t in (MACHINE, DOMAINS, VIRQS, CHANGED, END)) +
            sum(1 << t for t in range(DOMAIN, IOMMU + 1)))


def checksum(data, value=0):
    for (word,) in struct.iter_unpack("<Q", data):
        value = ((value ^ word) * 0x9E3779B97F4A7C15) & MASK
        value = (value << 29 | value >> 35) & MASK
    return value


def record(kind, payload=b"", optional=False):
    return struct.pack("<IIQ", kind, optional, len(payload)) + payload


def general(domid, version, vcpus=0, ports=0, pages=0, grants=0, mappings=0, references=1):
    counts = (references, grants, ports, mappings, 0, 0) if version >= 2 else (0,) * 6
    return record(GENERAL, struct.pack("<HBBBBHIIIIQ16sI6II", 3 if domid == 0 else 0, 0, 0, 0xFF,
                                       0, NONE, 0, 0xFFFFFFFF, 32768, 524288, pages, b"", vcpus,
                                       *counts, 0))


def section(domid, *records):
    body = b"".join(records)
    domid = struct.pack("<II", domid, 0)
    size = struct.pack("<Q", len(body))
    return record(DOMAIN, size + struct.pack("<Q", checksum(domid + body + size)) + domid) + body


def stream(sections, *optional, version=2, frames=0):
    machine = record(MACHINE, struct.pack("<16sQQII", b"random", 99, frames, len(sections), 0))
    domains = record(DOMAINS, b"".join(struct.pack("<QII", 1000 + i, i, 0)
                                       for i in range(len(sections))))
    records = machine + domains + record(VIRQS) + b"".join(optional)
    rest = b"".join(sections) + record(END)
    start = b"XVstream" + struct.pack("<IIQ", version, len(sections), REQUIRED)
    size = struct.pack("<Q", len(start) + 16 + len(records) + len(rest))
    whole = start + size + struct.pack("<Q", checksum(start + records + size)) + records + rest
    return whole + bytes(-len(whole) % 4096)


@pytest.fixture
def simxen(tmp_path):
    def run(command, data):
        path = tmp_path / "stream"
        path.write_bytes(data)
        return subprocess.run([SIMXEN, "stream", command, str(path)], text=True, timeout=60,
                              capture_output=True)

    return run


def channel(port, remote, remote_port):
    return struct.pack("<IIHBBI", port, remote_port, remote, 2, 2, 0)


def two_domains(version=2):
    """Domain 0 has a channel to domain 1, and maps a frame of it by a grant."""
    vcpu = record(VCPUS, struct.pack("<4Q64sII", 4096, 29, 5, 7, b"", 2, 0))
    grant = struct.pack("<QIIII", 0x101, 8, version >= 2, 0, 2)
    mapping = struct.pack("<QIIII", 0x101, 3, 8, 1, 0)
    return (section(0, general(0, version, ports=1, mappings=1),
                    record(EVTCHN_2LEVEL, channel(5, 1, 7)), record(MAPPINGS, mapping)),
            section(1, general(1, version, vcpus=1, pages=4, ports=1, grants=1, references=2),
                    vcpu, record(P2M, struct.pack("<3Q", 0, 0x100, 4)), record(GRANTS, grant),
                    record(EVTCHN_2LEVEL, channel(7, 0, 5))))


@pytest.mark.parametrize("version", [1, 2])
def test_show_and_check(simxen, version):
    data = stream(two_domains(version), version=version, frames=0x1000)
    shown = simxen("show", data)
    assert shown.returncode == 0, shown.stderr
    assert "domain 1: unique id 0x3e9" in shown.stdout
    assert "port 7: to 0.5, masked" in shown.stdout
    assert "runnable at 0x1000, on hypercall 29 with 5 units left" in shown.stdout
    assert "handle 3: frame 0x101 of 1, ref 8" in shown.stdout
    checked = simxen("check", data)
    assert (checked.returncode, checked.stdout) == (0, "2 domains, 0 of them fail\n")


def test_optional_records(simxen):
    data = stream(two_domains(), record(SOFTWARE, b"written by hand\0", optional=True),
                  record(60, bytes(24), optional=True), frames=0x1000)
    assert "written by hand" in simxen("show", data).stdout
    assert simxen("check", data).returncode == 0
    data = stream(two_domains(), record(60, bytes(24)), frames=0x1000)
    assert "may not be skipped" in simxen("show", data).stderr
    assert simxen("check", data).returncode == 1


def test_text_cannot_do_anything_to_a_terminal(simxen):
    data = stream(two_domains(), record(SOFTWARE, b"\x1b[2Jwritten\x9b\r\n\0\0", optional=True))
    assert "  ?[2Jwritten???\n" in simxen("show", data).stdout
    data = data.replace(b"random", b"ran\x1b[m")
    assert "ids ran?[m, " in simxen("show", data).stdout


def test_bad_domain(simxen):
    sections = list(two_domains())
    sections[1] = sections[1][:-1] + b"\1"
    checked = simxen("check", stream(sections, frames=0x1000))
    assert checked.returncode == 1
    assert checked.stdout == "domain 1 fails: its section has changed\n2 domains, 1 of them fail\n"


def test_bad_machine(simxen):
    data = stream(two_domains(), frames=0x1000)
    for bad, reason in ((data[:60], "size"), (b"x" + data[1:], "no live update stream"),
                        (data[:60] + b"?" + data[61:], "changed"),
                        (data + b"x", "something follows"), (b"", "cut off")):
        checked = simxen("check", bad)
        assert checked.returncode == 1
        assert reason in checked.stderr
    assert simxen("show", data[:-4096 + 200]).returncode == 1
