# SPDX-License-Identifier: GPL-2.0-or-later
"""Images made by hand, by the description of the format and not by our own code."""

import os
import pathlib
import struct

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("XENSTORE_IMAGE_BINARY", str(ROOT / "build" / "xenstore-image"))

PREAMBLE = b"xenstore" + struct.pack(">II", 2, 0)
END = struct.pack("<II", 0, 0)


def record(number, body):
    body += bytes(-len(body) % 8)
    return struct.pack("<II", number, len(body)) + body


def global_(listen=3, evtchn=6):
    return record(1, struct.pack("<ii", listen, evtchn))


def ring(conn, domid, port, target=0x7ff4, unique=None, data=b"", output=b""):
    body = struct.pack("<IHHHHIHHI", conn, 0, unique is not None, domid, target, port,
                       len(data), 0, len(output)) + data + output
    if unique is not None:
        body += bytes(-len(body) % 8) + struct.pack("<Q", unique)
    return record(2, body)


def socket(conn, fd, data=b"", output=b""):
    return record(2, struct.pack("<IHHiIHHI", conn, 1, 0, fd, 0, len(data), 0, len(output)) +
                  data + output)


def watch(conn, path, token):
    return record(3, struct.pack("<IHH", conn, len(path) + 1, len(token) + 1) +
                  path + b"\0" + token + b"\0")


def deep_watch(conn, path, token, depth):
    return record(8, struct.pack("<IHHHH", conn, len(path) + 1, len(token) + 1, depth, 0) +
                  path + b"\0" + token + b"\0")


def node(path, value=b"", perms=(("n", 0),)):
    body = struct.pack("<IIHHHH", 0, 0, len(path) + 1, len(value), 0, len(perms))
    for letter, domid in perms:
        body += struct.pack("<cBH", letter.encode(), 0, domid)
    return record(5, body + path + b"\0" + value)


def domain(domid, features, quotas=()):
    return record(7, struct.pack("<HHI", domid, len(quotas), features) +
                  b"".join(struct.pack("<I", value) for _, value in quotas) +
                  b"".join(name + b"\0" for name, _ in quotas))


SPECIAL = node(b"@releaseDomain") + node(b"@introduceDomain")
TREE = (node(b"/") + node(b"/local", b"v\x00\xff\"") + node(b"/local/domain") +
        node(b"/local/domain/5", b"", (("n", 5),)) +
        node(b"/local/domain/5/data", b"hello", (("n", 5), ("r", 0))) +
        node(b"/tool") + node(b"/tool/5", b"", (("b", 5), ("w", 7))))
CONNECTIONS = (ring(1, 0, 20, unique=1) + watch(1, b"@releaseDomain", b"rel") +
               ring(2, 5, 21, unique=77) + watch(2, b"data", b"tok") + watch(2, b"/x", b"") +
               socket(3, 9) + deep_watch(3, b"/local", b"deep", 1))
CURRENT = (PREAMBLE + global_() + CONNECTIONS + TREE + SPECIAL +
           domain(5, 14, ((b"nodes", 10),)) + END)
