# SPDX-License-Identifier: GPL-2.0-or-later
"""Domains with a chosen domid, by the toolstack's own library.

xl gives each domain the next domid, so that a domid comes back only after 32,752 domains. Its
library can be told; the configuration is what xl itself makes of a file, with one line added.
"""

import ctypes
import json
import os
import struct

from framework import equal, wait_until
from guests import Guest
from host import command


def library(name):
    directory = "/usr/lib/x86_64-linux-gnu"
    return ctypes.CDLL(next(f"{directory}/{entry}" for entry in sorted(os.listdir(directory))
                            if entry.startswith(name + ".so")))


class Toolstack:
    """libxenlight, as much of it as creates a domain."""

    def __init__(self):
        # A domid that was in use a minute ago is refused otherwise.
        os.environ["LIBXL_DOMID_REUSE_TIMEOUT"] = "0"
        self.xl = library("libxenlight")
        tools = library("libxentoollog")
        tools.xtl_createlogger_stdiostream.restype = ctypes.c_void_p
        libc = ctypes.CDLL(None)
        libc.fdopen.restype = ctypes.c_void_p
        log = libc.fdopen(os.open("/tmp/libxl.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), b"a")
        logger = tools.xtl_createlogger_stdiostream(ctypes.c_void_p(log), 4, 0)
        self.context = ctypes.c_void_p()
        if self.xl.libxl_ctx_alloc(ctypes.byref(self.context), 0, 0, ctypes.c_void_p(logger)):
            raise AssertionError("libxl_ctx_alloc")

    def create(self, config):
        """Creates and starts the domain; returns its domid, or None."""
        domain = ctypes.create_string_buffer(1 << 16)  # larger than the structure ever was
        self.xl.libxl_domain_config_init(domain)
        if self.xl.libxl_domain_config_from_json(self.context, domain, config.encode()):
            raise AssertionError("the configuration is not understood")
        domid = ctypes.c_uint32()
        if self.xl.libxl_domain_create_new(self.context, domain, ctypes.byref(domid), None, None):
            return None
        if self.xl.libxl_domain_unpause(self.context, domid, None):
            raise AssertionError("unpause")
        return domid.value


class ChosenGuest(Guest):
    """A guest with this domid."""

    def __init__(self, host, name, domid, uuid=None):
        self.wanted = domid
        super().__init__(host, name, more=f'uuid="{uuid}"' if uuid else "")

    def start(self, _paused):
        text = command("xl", "create", "-n", self.config).output
        config = json.loads(text[text.index("{") : text.rindex("}") + 1])
        config = config.get("config", config)  # alone on some versions, beside a domid on others
        config["c_info"]["domid"] = self.wanted
        if not hasattr(self.host, "toolstack"):
            self.host.toolstack = Toolstack()
        # While the last references to the predecessor go, the domid is still taken.
        domid = wait_until(lambda: self.host.toolstack.create(json.dumps(config)),
                           f"domid {self.wanted} is free", 30, 0.2)
        assert domid == self.wanted, domid
        return domid


class Control:
    """libxenctrl: what the hypervisor does without a word to the store."""

    def __init__(self):
        self.library = library("libxenctrl")
        self.library.xc_interface_open.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(self.library.xc_interface_open(None, None, 0))
        assert self.handle.value, "xc_interface_open"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.library.xc_interface_close(self.handle)

    def call(self, name, domid):
        if self.library[name](self.handle, ctypes.c_uint32(domid)):
            raise AssertionError(name)

    def destroy(self, domid):
        self.call("xc_domain_destroy", domid)

    def pause(self, domid):
        self.call("xc_domain_pause", domid)

    def unpause(self, domid):
        self.call("xc_domain_unpause", domid)

    def info(self, domid):
        """(dying, crashed, shut down, reason) of the domain, or None when there is none."""
        info = ctypes.create_string_buffer(4096)  # larger than the structure ever was
        if self.library.xc_domain_getinfo(self.handle, ctypes.c_uint32(domid), 1, info) != 1:
            return None
        number, _label, flags, reason = struct.unpack_from("<IIII", info)
        return (flags & 1, flags >> 1 & 1, flags >> 2 & 1, reason) if number == domid else None

    def memory(self, domid):
        """(pages that the domain has, its limit in kB)"""
        info = ctypes.create_string_buffer(4096)
        self.library.xc_domain_getinfo(self.handle, ctypes.c_uint32(domid), 1, info)
        return struct.unpack_from("<Q", info, 16)[0], struct.unpack_from("<Q", info, 64)[0]

    def set_limit(self, domid, kilobytes):
        if self.library.xc_domain_setmaxmem(self.handle, ctypes.c_uint32(domid),
                                            ctypes.c_uint64(kilobytes)):
            raise AssertionError("xc_domain_setmaxmem")

    def create(self, domid, uuid):
        """A domain without memory; the domid may still be taken by what is left of another."""
        config = bytearray(256)  # larger than the structure; what is not set here is 0
        config[4:20] = bytes.fromhex(uuid.replace("-", ""))
        struct.pack_into("<IIiiI", config, 28, 1, 64, 1, 1, 1)  # vcpus, ports, grants, maptrack, v1
        buffer = ctypes.create_string_buffer(bytes(config), len(config))
        number = ctypes.c_uint32(domid)
        wait_until(lambda: not self.library.xc_domain_create(self.handle, ctypes.byref(number),
                                                             buffer),
                   f"xc_domain_create {domid}", 20, 0.1)
        equal(number.value, domid)
