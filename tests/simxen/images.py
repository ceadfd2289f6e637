# SPDX-License-Identifier: GPL-2.0-or-later
"""Images of the hypervisor that are not as they should be, made from one that is."""

import os
import platform
import struct
import subprocess

from tests.lib.daemon import ROOT
from tests.simxen.host import SIMXEN

OLDER = str(ROOT / "build" / "tests" / "simxen" / "older")
NEWER = str(ROOT / "build" / "tests" / "simxen" / "newer")

MAGIC = b"HVXinote"
# Behind the magic: what the image needs, what it does with streams, and who it is.
NOTE = struct.Struct("<QQQQII8sIIQQQ32sII")
FIELDS = ("image_size", "init_offset", "init_size", "boot_size", "frame_info_size", "reserved",
          "stream_magic", "oldest", "newest", "writes", "reads", "requires", "name", "hand_over",
          "protocol")

# What a function does instead of its work (x86-64).
CRASHES = b"\x0f\x0b"
HANGS = b"\xeb\xfe"
EXITS = b"\x31\xff\xb8\xe7\x00\x00\x00\x0f\x05"

OTHER_MACHINE = None if platform.machine() == "x86_64" else "machine code for x86-64 only"


def note_of(image):
    start = image.index(MAGIC) + len(MAGIC)
    return start, dict(zip(FIELDS, NOTE.unpack_from(image, start)))


def write_program(path, image):
    with open(path, "wb") as file:
        file.write(image)
    os.chmod(path, 0o755)
    return str(path)


def says(path, program=SIMXEN, **changes):
    """A copy that says something else of itself than the truth. Writes it to path."""
    with open(program, "rb") as file:
        image = bytearray(file.read())
    start, note = note_of(image)
    assert not changes.keys() - note.keys()
    note.update(changes)
    NOTE.pack_into(image, start, *(note[field] for field in FIELDS))
    return write_program(path, image)


def _file_offset(image, address):
    """Where in an ELF file the byte is that is loaded to an address."""
    headers, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for i in range(count):
        kind, _, offset, start, _, length = struct.unpack_from("<IIQQQQ", image, headers + i * size)
        if kind == 1 and start <= address < start + length:
            return offset + address - start
    raise ValueError(f"nothing is loaded to {address:#x}")


def does(path, function, code, program=SIMXEN):
    """A copy in which a function does something else. Writes it to path."""
    symbols = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    address, = (int(line.split()[0], 16) for line in symbols.splitlines()
                if line.split()[-1] == function)
    with open(program, "rb") as file:
        image = bytearray(file.read())
    offset = _file_offset(image, address)
    image[offset:offset + len(code)] = code
    return write_program(path, image)


class Interrupted:
    """An update that stands still behind the point of no return, with the stream in memory.

    The new program hangs in its first instruction. When it is killed, the watchdog lets the former
    one read what is in memory by then.
    """

    BREADCRUMB = 0x4C69766555706000
    PAGE = 4096

    def __init__(self, host, directory):
        self.host = host
        self.pid = host.pid()
        self.updater = host.popen("live-update", "--xen", does(directory / "hangs", "main", HANGS),
                                  stderr=subprocess.PIPE)
        host.wait(self._find, "the breadcrumb")

    def _memory(self):
        """The link is by pid and number, which the hanging program still has."""
        return open(os.path.join(self.host.dir, "memory"), "r+b", buffering=0)

    def _words(self, memory, position, count):
        memory.seek(position)
        return struct.unpack(f"<{count}Q", memory.read(8 * count))

    def _find(self):
        with self._memory() as memory:
            end = memory.seek(0, os.SEEK_END)
            for place in range(end - (64 << 20), end, self.PAGE):
                magic, array, pages = self._words(memory, place, 3)
                if magic == self.BREADCRUMB:
                    self.frames = self._words(memory, array, pages >> 12)
                    return True
        return False

    def read(self, position, size):
        """Bytes of the stream."""
        with self._memory() as memory:
            found = b""
            for frame in self.frames:
                memory.seek(frame * self.PAGE)
                found += memory.read(self.PAGE)
        return found[position:position + size]

    def flip(self, position):
        """Changes a byte of the stream."""
        with self._memory() as memory:
            memory.seek(self.frames[position // self.PAGE] * self.PAGE + position % self.PAGE)
            byte, = memory.read(1)
            memory.seek(-1, os.SEEK_CUR)
            memory.write(bytes([byte ^ 1]))

    def records(self):
        """(type, position of the contents, size) of each record; sections are walked through."""
        position, end = 40, struct.unpack("<Q", self.read(24, 8))[0]
        while position < end:
            kind, _, size = struct.unpack("<IIQ", self.read(position, 16))
            yield kind, position + 16, size
            position += 16 + size

    def section(self, domid):
        """Where a domain's section begins, behind its own record."""
        for kind, position, size in self.records():
            if kind == 16 and struct.unpack("<I", self.read(position + 16, 4))[0] == domid:
                return position + size
        raise KeyError(domid)

    def goes_back(self):
        """Ends the program that hangs. Returns what the requester was told."""
        os.kill(self.pid, 9)
        _, said = self.updater.communicate(timeout=60)
        return said
