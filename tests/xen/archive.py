# SPDX-License-Identifier: GPL-2.0-or-later
"""A cpio archive as the kernel unpacks it at boot (the "newc" format).

It is written by hand, so that every file belongs to root whoever builds it and nothing needs a
staging directory.
"""

import os
import stat


class Archive:
    """Files for an initramfs, by the path they will have in it. Parents are made as needed."""

    def __init__(self, path):
        self._out = open(path, "wb")
        self._inode = 0
        self._known = {""}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if not exc[0]:
            self._entry("TRAILER!!!", 0)
        self._out.close()

    def _entry(self, name, mode, data=b""):
        self._inode += 1
        name = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        self._out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
        self._out.write(b"\0" * (-(110 + len(name)) % 4))
        self._out.write(data)
        self._out.write(b"\0" * (-len(data) % 4))

    def _parents(self, path):
        parent = os.path.dirname(path)
        if parent not in self._known:
            self.directory(parent)

    def directory(self, path):
        path = path.strip("/")
        if path in self._known:
            return
        self._parents(path)
        self._known.add(path)
        self._entry(path, stat.S_IFDIR | 0o755)

    def data(self, path, content, mode=0o644):
        """A file with this content. A path that is there already stays as it is."""
        path = path.strip("/")
        if path in self._known:
            return
        self._parents(path)
        self._known.add(path)
        self._entry(path, stat.S_IFREG | mode, content)

    def file(self, path, source, mode=None):
        """A file with the content of another one on this machine."""
        with open(source, "rb") as stream:
            if mode is None:
                mode = 0o755 if os.fstat(stream.fileno()).st_mode & 0o111 else 0o644
            self.data(path, stream.read(), mode)

    def link(self, path, target):
        path = path.strip("/")
        if path in self._known:
            return
        self._parents(path)
        self._known.add(path)
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def __contains__(self, path):
        return path.strip("/") in self._known
