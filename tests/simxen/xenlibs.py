# SPDX-License-Identifier: GPL-2.0-or-later
"""The functions of the Xen libraries, for code that runs as a process of a host.

Errors are returned as negative errno values, so that a test can print them.
"""

import ctypes
import errno  # noqa: F401  (these are for the code that imports * from here)
import os  # noqa: F401
import select
import struct

_evtchn = ctypes.CDLL("libxenevtchn.so.1", use_errno=True)
_gnttab = ctypes.CDLL("libxengnttab.so.1", use_errno=True)
_call = ctypes.CDLL("libxencall.so.1", use_errno=True)
_manage = ctypes.CDLL("libxenmanage.so.1", use_errno=True)
_ctrl = ctypes.CDLL("libxenctrl.so.4.17", use_errno=True)

for _function in (_evtchn.xenevtchn_open, _evtchn.xenevtchn_fdopen, _gnttab.xengnttab_open,
                  _gnttab.xengnttab_map_grant_ref, _gnttab.xengntshr_open,
                  _gnttab.xengntshr_share_pages, _call.xencall_open, _manage.xenmanage_open,
                  _ctrl.xc_interface_open):
    _function.restype = ctypes.c_void_p

VIRQ_DOM_EXC = 3
NO_CLOEXEC = 1


def _result(value):
    return value if value is not None and value >= 0 else -ctypes.get_errno()


def _handle(value):
    if not value:
        raise OSError(ctypes.get_errno(), "open")
    return ctypes.c_void_p(value)


class Evtchn:
    def __init__(self, fd=None, flags=0):
        if fd is None:
            self.handle = _handle(_evtchn.xenevtchn_open(None, flags))
        else:
            self.handle = _handle(_evtchn.xenevtchn_fdopen(None, fd, 0))

    def fileno(self):
        return _evtchn.xenevtchn_fd(self.handle)

    def bind_virq(self, virq=VIRQ_DOM_EXC):
        return _result(_evtchn.xenevtchn_bind_virq(self.handle, virq))

    def bind_interdomain(self, domid, port):
        return _result(_evtchn.xenevtchn_bind_interdomain(self.handle, domid, port))

    def bind_unbound(self, domid):
        return _result(_evtchn.xenevtchn_bind_unbound_port(self.handle, domid))

    def unbind(self, port):
        return _result(_evtchn.xenevtchn_unbind(self.handle, port))

    def notify(self, port):
        return _result(_evtchn.xenevtchn_notify(self.handle, port))

    def unmask(self, port):
        return _result(_evtchn.xenevtchn_unmask(self.handle, port))

    def pending(self, timeout=30.0):
        """The next port with an event, None when there is none in time."""
        if not select.select([self], [], [], timeout)[0]:
            return None
        return _result(_evtchn.xenevtchn_pending(self.handle))

    def close(self):
        return _evtchn.xenevtchn_close(self.handle)


class Gnttab:
    def __init__(self):
        self.handle = _handle(_gnttab.xengnttab_open(None, 0))

    def map(self, domid, ref=1):
        """The address of the page, or a negative errno."""
        address = _gnttab.xengnttab_map_grant_ref(self.handle, domid, ref, 3)
        return address or -ctypes.get_errno()

    def unmap(self, address):
        return _result(_gnttab.xengnttab_unmap(self.handle, ctypes.c_void_p(address), 1))

    def close(self):
        return _gnttab.xengnttab_close(self.handle)


class Gntshr:
    """Pages that are shared with other domains."""

    def __init__(self):
        self.handle = _handle(_gnttab.xengntshr_open(None, 0))

    def share(self, domid, count=1, writable=True):
        """(address, references)"""
        refs = (ctypes.c_uint32 * count)()
        address = _gnttab.xengntshr_share_pages(self.handle, domid, count, refs, int(writable))
        return (address, list(refs)) if address else -ctypes.get_errno()

    def unshare(self, address, count=1):
        return _result(_gnttab.xengntshr_unshare(self.handle, ctypes.c_void_p(address), count))

    def close(self):
        _gnttab.xengntshr_close(self.handle)


class Call:
    def __init__(self):
        self.handle = _handle(_call.xencall_open(None, 0))

    def domctl(self, cmd, version, domid, pad0=0):
        """The result, and the structure afterwards."""
        domctl = ctypes.create_string_buffer(
            struct.pack("=IIHxxxxxxHHI", cmd, version, domid, 0, 0, pad0), 144)
        result = _result(_call.xencall1(self.handle, 36, ctypes.c_uint64(ctypes.addressof(domctl))))
        return result, domctl.raw

    def domctl_at(self, address):
        return _result(_call.xencall1(self.handle, 36, ctypes.c_uint64(address)))


class Manage:
    def __init__(self):
        self.handle = _handle(_manage.xenmanage_open(None, 0))

    def info(self, domid):
        """(state, caps, unique id), or a negative errno."""
        state, caps, unique = ctypes.c_uint(), ctypes.c_uint(), ctypes.c_uint64()
        result = _result(_manage.xenmanage_get_domain_info(
            self.handle, domid, ctypes.byref(state), ctypes.byref(caps), ctypes.byref(unique)))
        return result or (state.value, caps.value, unique.value)

    def changed(self):
        """(domid, state, caps, unique id), or a negative errno."""
        domid, state, caps = ctypes.c_uint(), ctypes.c_uint(), ctypes.c_uint()
        unique = ctypes.c_uint64()
        result = _result(_manage.xenmanage_poll_changed_domain(
            self.handle, ctypes.byref(domid), ctypes.byref(state), ctypes.byref(caps),
            ctypes.byref(unique)))
        return result or (domid.value, state.value, caps.value, unique.value)

    def all_changed(self):
        """What changed, until nothing more did."""
        found = []
        while True:
            answer = self.changed()
            if isinstance(answer, int):
                assert answer == -errno.ENOENT, answer
                return found
            found.append(answer)


class Ctrl:
    """struct xc_dominfo has 152 bytes or so in 4.17; only its head is looked at."""

    def __init__(self):
        self.handle = _handle(_ctrl.xc_interface_open(None, None, 0))

    def getinfo(self, first):
        """(domid, flags, shutdown reason) of the first domain from there on, or an errno."""
        info = ctypes.create_string_buffer(1024)
        result = _result(_ctrl.xc_domain_getinfo(self.handle, first, 1, info))
        return struct.unpack_from("=IxxxxII", info.raw) if result == 1 else result
