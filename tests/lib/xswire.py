# SPDX-License-Identifier: GPL-2.0-or-later
"""An independent client of the Xenstore wire protocol.

It shares no code with the daemon, so that a misunderstanding in the daemon is not repeated
here.  It is made for tests: every byte can be sent by hand, requests can be pipelined, all
that arrives is kept in its order, nothing ever waits without a deadline, and what a client
library would hide (request ids, transaction ids, reply types) can be looked at.

The socket is non-blocking.  While something is being sent, whatever arrives is read, so that
a test with thousands of requests in flight cannot block against a daemon that wants to get
rid of its replies first.

    c = Client("/run/xenstored/socket")
    c.write("/a", b"value")
    assert c.read("/a") == b"value"
"""

import collections
import enum
import errno
import os
import select
import socket
import struct
import time

HEADER = struct.Struct("=IIII")
HEADER_SIZE = HEADER.size
PAYLOAD_MAX = 4096
DEFAULT_TIMEOUT = 10.0


class Type(enum.IntEnum):
    """The request and reply types, named as in xen/io/xs_wire.h."""

    CONTROL = 0
    DIRECTORY = 1
    READ = 2
    GET_PERMS = 3
    WATCH = 4
    UNWATCH = 5
    TRANSACTION_START = 6
    TRANSACTION_END = 7
    INTRODUCE = 8
    RELEASE = 9
    GET_DOMAIN_PATH = 10
    WRITE = 11
    MKDIR = 12
    RM = 13
    SET_PERMS = 14
    WATCH_EVENT = 15
    ERROR = 16
    IS_DOMAIN_INTRODUCED = 17
    RESUME = 18
    SET_TARGET = 19
    RESTRICT = 20
    RESET_WATCHES = 21
    DIRECTORY_PART = 22
    GET_FEATURE = 23
    SET_FEATURE = 24
    GET_QUOTA = 25
    SET_QUOTA = 26
    INVALID = 0xFFFF


# Types that are answered with ENOSYS whoever asks.
NOT_REQUESTS = (Type.WATCH_EVENT, Type.ERROR, Type.RESTRICT)
REQUESTS = tuple(t for t in Type if t not in NOT_REQUESTS and t != Type.INVALID)


class XsError(Exception):
    """The daemon answered with an error; `name` is what it said, "ENOENT" for example."""

    def __init__(self, name, request=None):
        super().__init__(f"{name} in answer to {request}" if request else name)
        self.name = name

    @property
    def errno(self):
        return getattr(errno, self.name, None)


class ConnectionClosed(ConnectionError):
    """The daemon closed the connection (or it broke)."""


class Timeout(TimeoutError):
    """The deadline passed without what was waited for."""


class ProtocolError(Exception):
    """The daemon sent something that the protocol does not allow."""


class Message(collections.namedtuple("Message", "type req_id tx_id payload")):
    """One message as it was received."""

    __slots__ = ()

    @property
    def is_event(self):
        return self.type == Type.WATCH_EVENT

    @property
    def is_error(self):
        return self.type == Type.ERROR

    @property
    def error(self):
        """The name of the error, or None for any other message."""
        if not self.is_error:
            return None
        if not self.payload.endswith(b"\0") or b"\0" in self.payload[:-1]:
            raise ProtocolError(f"malformed error payload {self.payload!r}")
        return self.payload[:-1].decode("ascii")

    @property
    def event(self):
        """(path, token) of a watch event."""
        parts = self.payload.split(b"\0")
        if not self.is_event or len(parts) != 3 or parts[2] != b"":
            raise ProtocolError(f"malformed event {self!r}")
        return Event(text(parts[0]), text(parts[1]))


Reply = Message


class Event(collections.namedtuple("Event", "path token")):
    """(path, token); `position` is the index of its message in the client's log."""

    position = -1


def raw(value):
    """str, bytes, number or path -> bytes; str is taken byte for byte."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return str(int(value)).encode("ascii")
    if isinstance(value, os.PathLike):
        return os.fsencode(value)
    return value.encode("latin-1")


def text(value):
    """bytes -> str, byte for byte."""
    return value.decode("latin-1")


def strings(*values):
    """Each value with a NUL behind it, joined."""
    return b"".join(raw(v) + b"\0" for v in values)


def message(mtype, payload=b"", tx=0, req=0, length=None):
    """The bytes of a message; `length` overrides the header's payload length."""
    payload = raw(payload)
    return HEADER.pack(mtype, req, tx, len(payload) if length is None else length) + payload


def type_name(mtype):
    try:
        return Type(mtype).name
    except ValueError:
        return f"type {mtype}"


def connect(path, timeout=DEFAULT_TIMEOUT):
    """A connected socket that blocks, with deadlines for sending and receiving.

    Python's own timeouts make a socket non-blocking, and such a connect() to a Unix socket
    fails at once when the backlog is full, where any real client waits for its turn.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    limit = struct.pack("ll", int(timeout), int(timeout % 1 * 1000000))
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.connect(os.fspath(path))
    except BlockingIOError as exc:
        sock.close()
        raise Timeout(f"{path} does not accept connections") from exc
    except BaseException:
        sock.close()
        raise
    return sock


class Client:
    """One connection over a Unix socket (or over a connected socket that is passed in)."""

    def __init__(self, path=None, sock=None, timeout=DEFAULT_TIMEOUT):
        self.timeout = timeout
        self.events = collections.deque()  # events that nobody asked for yet
        self.log = []  # every message, in order of arrival
        self._input = bytearray()
        self._replies = collections.deque()  # their positions in the log
        self._next_req = 1
        self._closed = False
        self._eof = False
        if sock is None:
            sock = connect(path or os.environ["XENSTORED_PATH"], timeout)
        sock.setblocking(False)
        self.sock = sock

    # -- life -----------------------------------------------------------------------------

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def fileno(self):
        return self.sock.fileno()

    def close(self):
        """Orderly close; anything unread is lost."""
        if not self._closed:
            self._closed = True
            self.sock.close()

    def shutdown_write(self):
        """Half-close: nothing more will be sent, answers can still be read."""
        self.sock.shutdown(socket.SHUT_WR)

    # -- bytes ----------------------------------------------------------------------------

    def _deadline(self, timeout):
        return time.monotonic() + (self.timeout if timeout is None else timeout)

    def _wait(self, flags, deadline, what):
        poller = select.poll()
        poller.register(self.sock, flags)
        left = deadline - time.monotonic()
        ready = poller.poll(max(0, left) * 1000)
        if not ready and left <= 0:
            raise Timeout(f"no {what} within the deadline")
        return ready[0][1] if ready else 0

    def _receive_some(self):
        """Read what is there without waiting.  False when there was nothing."""
        try:
            data = self.sock.recv(262144)
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionError as exc:
            self._eof = True
            raise ConnectionClosed(str(exc)) from exc
        if not data:
            self._eof = True
            return False
        self._input += data
        self._parse()
        return True

    def _parse(self):
        pos = 0
        view = self._input
        while len(view) - pos >= HEADER_SIZE:
            mtype, req, tx, length = HEADER.unpack_from(view, pos)
            if length > PAYLOAD_MAX:
                raise ProtocolError(f"a message of {length} bytes payload was received")
            end = pos + HEADER_SIZE + length
            if len(view) < end:
                break
            self._take(Message(mtype, req, tx, bytes(view[pos + HEADER_SIZE : end])))
            pos = end
        del view[:pos]

    def _take(self, msg):
        self.log.append(msg)
        if msg.is_event:
            if msg.req_id or msg.tx_id:
                raise ProtocolError(f"event with a request or transaction id: {msg!r}")
            event = msg.event
            event.position = len(self.log) - 1
            self.events.append(event)
        else:
            self._replies.append(len(self.log) - 1)

    def send_raw(self, data, timeout=None, read=True):
        """Send bytes as they are.  With read=False nothing is received meanwhile."""
        deadline = self._deadline(timeout)
        view = memoryview(raw(data))
        while view:
            try:
                view = view[self.sock.send(view, socket.MSG_NOSIGNAL) :]
            except (BlockingIOError, InterruptedError):
                flags = select.POLLOUT | (select.POLLIN if read and not self._eof else 0)
                if self._wait(flags, deadline, "room to send") & select.POLLIN:
                    self._receive_some()
            except ConnectionError as exc:
                raise ConnectionClosed(str(exc)) from exc

    def send_slowly(self, data, step=1, gap=0):
        """Send in pieces of `step` bytes, with `gap` seconds between them."""
        data = raw(data)
        for pos in range(0, len(data), step):
            self.send_raw(data[pos : pos + step])
            if gap:
                time.sleep(gap)

    def recv_raw(self, timeout=None):
        """Whatever arrives next, unparsed; b"" at the end of the connection."""
        deadline = self._deadline(timeout)
        while True:
            try:
                return self.sock.recv(65536)
            except (BlockingIOError, InterruptedError):
                self._wait(select.POLLIN, deadline, "bytes")
            except ConnectionError:
                return b""

    def wait_closed(self, timeout=None):
        """Wait for the daemon to close the connection; returns messages read until then."""
        deadline = self._deadline(timeout)
        start = len(self.log)
        try:
            while not self._eof:
                if not self._receive_some() and not self._eof:
                    self._wait(select.POLLIN, deadline, "end of the connection")
        except ConnectionClosed:
            pass
        return self.log[start:]

    # -- messages -------------------------------------------------------------------------

    def new_req(self):
        req = self._next_req
        self._next_req = self._next_req % 0xFFFFFFFF + 1
        return req

    def send(self, mtype, payload=b"", tx=0, req=None):
        """Send a request without waiting; returns its request id."""
        if req is None:
            req = self.new_req()
        self.send_raw(message(mtype, payload, tx, req))
        return req

    def recv_message(self, timeout=None):
        """The next message of any kind that was not returned before, in order of arrival."""
        deadline = self._deadline(timeout)
        while True:
            if self._replies or self.events:
                return self._pop_oldest()
            self._fill(deadline, "message")

    def _pop_oldest(self):
        if not self.events or self._replies and self._replies[0] < self.events[0].position:
            return self.log[self._replies.popleft()]
        return self.log[self.events.popleft().position]

    def _fill(self, deadline, what):
        if self._eof:
            raise ConnectionClosed(f"closed while waiting for a {what}")
        if not self._receive_some():
            if self._eof:
                raise ConnectionClosed(f"closed while waiting for a {what}")
            self._wait(select.POLLIN, deadline, what)

    def recv_reply(self, timeout=None):
        """The next reply; events that come before it are put in `events`."""
        deadline = self._deadline(timeout)
        while not self._replies:
            self._fill(deadline, "reply")
        return self.log[self._replies.popleft()]

    def exchange(self, mtype, payload=b"", tx=0, req=None, timeout=None):
        """Send one request and return its reply, errors included, after checking its header."""
        req = self.send(mtype, payload, tx, req)
        reply = self.recv_reply(timeout)
        self._check(reply, mtype, tx, req)
        return reply

    @staticmethod
    def _check(reply, mtype, tx, req):
        if reply.req_id != req or reply.tx_id != tx or reply.type not in (mtype, Type.ERROR):
            raise ProtocolError(
                f"{reply!r} is no reply to type {mtype}, request {req}, transaction {tx}"
            )

    def request(self, mtype, payload=b"", tx=0, req=None, timeout=None):
        """Like exchange(), but an error is raised as XsError."""
        reply = self.exchange(mtype, payload, tx, req, timeout)
        if reply.is_error:
            raise XsError(reply.error, f"{type_name(mtype)} {raw(payload)[:120]!r}")
        return reply

    def error_of(self, mtype, payload=b"", tx=0, timeout=None):
        """The name of the error a request is answered with, or None if it succeeds."""
        return self.exchange(mtype, payload, tx, timeout=timeout).error

    def pipeline(self, requests, timeout=60.0):
        """Send many (type, payload[, tx]) at once and return the replies in order."""
        out = bytearray()
        expected = []
        for mtype, payload, *rest in requests:
            tx = rest[0] if rest else 0
            req = self.new_req()
            out += message(mtype, payload, tx, req)
            expected.append((mtype, tx, req))
        deadline = self._deadline(timeout)
        self.send_raw(bytes(out), timeout)
        replies = []
        for mtype, tx, req in expected:
            reply = self.recv_reply(max(0.0, deadline - time.monotonic()))
            self._check(reply, mtype, tx, req)
            replies.append(reply)
        return replies

    def pipeline_ok(self, requests, timeout=60.0):
        """pipeline(), all of which must succeed."""
        requests = list(requests)
        replies = self.pipeline(requests, timeout)
        for sent, reply in zip(requests, replies):
            if reply.is_error:
                raise XsError(reply.error, f"{type_name(sent[0])} {raw(sent[1])[:120]!r}")
        return replies

    def _ok(self, mtype, payload=b"", tx=0):
        reply = self.request(mtype, payload, tx)
        if reply.payload != b"OK\0":
            raise ProtocolError(f"{type_name(mtype)} was answered with {reply.payload!r}")

    def _line(self, mtype, payload=b"", tx=0):
        reply = self.request(mtype, payload, tx).payload
        if not reply.endswith(b"\0") or b"\0" in reply[:-1]:
            raise ProtocolError(f"{type_name(mtype)} was answered with {reply!r}")
        return text(reply[:-1])

    def _list(self, mtype, payload=b"", tx=0):
        reply = self.request(mtype, payload, tx).payload
        if reply and not reply.endswith(b"\0"):
            raise ProtocolError(f"{type_name(mtype)} was answered with {reply!r}")
        return [text(part) for part in reply.split(b"\0")[:-1]]

    # -- nodes ----------------------------------------------------------------------------

    def read(self, path, tx=0):
        return self.request(Type.READ, strings(path), tx).payload

    def write(self, path, value=b"", tx=0):
        self._ok(Type.WRITE, strings(path) + raw(value), tx)

    def mkdir(self, path, tx=0):
        self._ok(Type.MKDIR, strings(path), tx)

    def rm(self, path, tx=0):
        self._ok(Type.RM, strings(path), tx)

    def exists(self, path, tx=0):
        try:
            self.read(path, tx)
        except XsError as exc:
            if exc.name != "ENOENT":
                raise
            return False
        return True

    def ls(self, path, tx=0):
        """Names of the children, with one DIRECTORY."""
        return self._list(Type.DIRECTORY, strings(path), tx)

    def directory_part(self, path, offset=0, tx=0):
        """(generation, bytes of the list, whether its end was reached)."""
        reply = self.request(Type.DIRECTORY_PART, strings(path, offset), tx).payload
        generation, _, rest = reply.partition(b"\0")
        if not generation.isdigit():
            raise ProtocolError(f"DIRECTORY_PART was answered with {reply[:60]!r}")
        end = rest == b"\0" or rest.endswith(b"\0\0")
        return text(generation), rest[:-1] if end else rest, end

    def ls_parts(self, path, tx=0):
        """Names of the children, however many, with DIRECTORY_PART."""
        data = b""
        first = None
        while True:
            generation, part, end = self.directory_part(path, len(data), tx)
            if first is not None and generation != first:
                data, first = b"", None
                continue
            first = generation
            data += part
            if end:
                return [text(name) for name in data.split(b"\0")[:-1]]
            if not part:
                raise ProtocolError("DIRECTORY_PART makes no progress")

    def get_perms(self, path, tx=0):
        return self._list(Type.GET_PERMS, strings(path), tx)

    def set_perms(self, path, perms, tx=0):
        self._ok(Type.SET_PERMS, strings(path, *perms), tx)

    # -- watches --------------------------------------------------------------------------

    def watch(self, path, token, depth=None, take_initial=True):
        """Set a watch; its initial event is taken out of `events` unless told otherwise."""
        args = (path, token) if depth is None else (path, token, depth)
        self._ok(Type.WATCH, strings(*args))
        if take_initial:
            event = self.wait_event()
            if event != (text(raw(path)), text(raw(token))):
                raise ProtocolError(f"{event!r} is no initial event of {path!r} {token!r}")

    def unwatch(self, path, token):
        self._ok(Type.UNWATCH, strings(path, token))

    def reset_watches(self, tx=0):
        self._ok(Type.RESET_WATCHES, b"", tx)

    def wait_event(self, timeout=None):
        """The next event as (path, token)."""
        deadline = self._deadline(timeout)
        while not self.events:
            self._fill(deadline, "event")
        return self.events.popleft()

    def drain_events(self):
        """All events that the daemon had queued before it got one more request.

        Output is one queue, so the reply to a harmless request follows every event of a
        change that was answered before.
        """
        self.sync()
        events = list(self.events)
        self.events.clear()
        return events

    def sync(self):
        """One harmless round trip."""
        self.request(Type.GET_DOMAIN_PATH, b"0\0")

    # -- transactions ---------------------------------------------------------------------

    def transaction_start(self):
        tx = self._line(Type.TRANSACTION_START)
        if not tx.isdigit() or int(tx) == 0 or str(int(tx)) != tx:
            raise ProtocolError(f"transaction id {tx!r}")
        return int(tx)

    def transaction_end(self, tx, commit=True):
        self._ok(Type.TRANSACTION_END, b"T\0" if commit else b"F\0", tx)

    def commit(self, tx):
        """True when it was committed, False on EAGAIN."""
        try:
            self.transaction_end(tx, True)
        except XsError as exc:
            if exc.name != "EAGAIN":
                raise
            return False
        return True

    # -- domains --------------------------------------------------------------------------

    def introduce(self, domid, gfn, port):
        self._ok(Type.INTRODUCE, strings(domid, gfn, port))

    def release(self, domid):
        self._ok(Type.RELEASE, strings(domid))

    def resume(self, domid):
        self._ok(Type.RESUME, strings(domid))

    def set_target(self, domid, target):
        self._ok(Type.SET_TARGET, strings(domid, target))

    def is_introduced(self, domid):
        return {"T": True, "F": False}[self._line(Type.IS_DOMAIN_INTRODUCED, strings(domid))]

    def get_domain_path(self, domid):
        return self._line(Type.GET_DOMAIN_PATH, strings(domid))

    def get_feature(self, domid=None):
        return int(self._line(Type.GET_FEATURE, b"" if domid is None else strings(domid)))

    def get_quota(self, *args):
        """get_quota() -> names, get_quota(name) and get_quota(domid, name) -> number."""
        answer = self._line(Type.GET_QUOTA, strings(*args))
        return int(answer) if args else answer.split(" ")

    def set_quota(self, *args):
        self._ok(Type.SET_QUOTA, strings(*args))

    # -- control --------------------------------------------------------------------------

    def control(self, *args):
        return self._line(Type.CONTROL, strings(*args))
