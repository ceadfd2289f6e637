# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes random sequences of requests in which much happens.

Uniformly random requests would mostly be ENOENT. So names come from a small alphabet, most
payloads are well-formed, a watch that is removed is mostly one that was set, and a
transaction usually ends. Nothing here depends on a reply: a sequence is fixed by its seed
alone, and any part of it can be run again by itself.

Transactions mostly *lease* a directory that nobody else changes meanwhile; then every
xenstored must agree on every reply. A few work where others do, to meet conflicts.
"""

import random
import struct
from dataclasses import dataclass, field

from tests.lib.xswire import Type, raw, strings, type_name

REQUEST = "request"
REOPEN = "reopen"
RAW = "raw bytes, then end of connection"

BIG = "/big"
BIG_NAMES = [f"{number:03d}-" + "n" * 56 for number in range(90)]
LEASED = [f"/p{number}" for number in range(6)]
CONTESTED = "/s"
SHARED = ["/a", "/b", CONTESTED, "/local/domain/0"]
ROOTS = SHARED + LEASED + [BIG]
NAMES = ["a", "b", "c", "dd", "E-5", "f_@6"]
TOKENS = ["t", "u", "", "token with blanks", "x" * 100]
UNKNOWN_TRANSACTION = 4000000000

VALID_BUT_UNUSUAL = ["/", "/tool", "/tool/xenstored", "/a/@b", "/-", "/@", "/A/_", "/local",
                     "/a/b/c/" * 12 + "d", "/local/domain", "/local/domain/1"]
BAD_PATHS = ["", "//", "/a/", "//a", "/a//b", "/a b", "/a.b", "/\x80", "/a\xff/b", "/a+b", " /a",
             "/a/\n", "a/", "a//b", "/local/domain/", "/local/domain/0/", "@", "@foo",
             "@releaseDomain", "@introduceDomain", "~", "/a:b", "/a\\b"]
LONG_PATHS = ["/" + "a" * 2047, "/" + "a" * 2048, "/" + "a/" * 1100 + "b", "/" + "b" * 3500]
PERMISSIONS = ["n0", "r0", "w0", "b0"]
ENTRIES = ["r1", "w2", "b3", "n7", "r1", "r0", "b65534", "r0x10", "w010"]
BAD_PERMISSIONS = ["", "x0", "r", "0", "rr1", "r1x", "n", "R0", "r 1x", "n0x"]
OTHER_TYPES = [15, 16, 20, 27, 28, 100, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def home(domid):
    """What a relative path of a domain begins with."""
    return f"/local/domain/{domid}/"


@dataclass(frozen=True)
class Step:
    """One thing that a client does."""

    connection: int
    kind: str = REQUEST
    type: int = 0
    payload: bytes = b""
    # The name of a transaction of the sequence, or a number that is no transaction.
    transaction: object = None
    # For TRANSACTION_START: the name that the new transaction has in the sequence.
    opens: str = None
    # The message is sent in pieces, cut at these offsets.
    cuts: tuple = field(default=())
    # Who does it: a client in domain 0, or a guest.
    domid: int = 0

    def __str__(self):
        if self.kind != REQUEST:
            detail = f" {self.payload[:40]!r}" if self.payload else ""
            return f"connection {self.connection}: {self.kind}{detail}"
        shown = repr(self.payload)
        if len(shown) > 160:
            shown = f"{shown[:120]}... ({len(self.payload)} bytes)"
        name = f" in {self.transaction}" if self.transaction is not None else ""
        name += f" as {self.opens}" if self.opens else ""
        who = f", domain {self.domid}" if self.domid else ""
        return f"connection {self.connection}{who}: {type_name(self.type)} {shown}{name}"


class _Transaction:
    """What the generator remembers of a transaction that it began and has not ended."""

    def __init__(self, name, root, length):
        self.name = name
        self.root = root
        self.left = length


class Generator:
    """Yields one Step after the other; conflicts is the share of unleased transactions."""

    def __init__(self, seed, connections=4, conflicts=0.3):
        self._random = random.Random(seed)
        self._connections = connections
        self._conflicts = conflicts
        # The domain of the connection whose turn it is.
        self._domid = 0
        self._open = [[] for _ in range(connections)]
        self._watches = [[] for _ in range(connections)]
        self._count = 0
        self._verbs = [
            (16, self._path_request, Type.READ), (8, self._path_request, Type.DIRECTORY),
            (7, self._path_request, Type.GET_PERMS), (20, self._write, None),
            (7, self._path_request, Type.MKDIR), (5, self._path_request, Type.RM),
            (5, self._set_perms, None), (5, self._directory_part, None), (5, self._watch, None),
            (5, self._unwatch, None), (0.3, self._reset_watches, None),
            (6, self._transaction_start, None), (3, self._transaction_end, None),
            (2, self._domain_request, None), (1, self._other_type, None),
            (2, self._bad_path, None), (2, self._bad_payload, None),
            (0.5, self._bad_permission, None), (0.25, self._unknown_transaction, None),
            (0.1, self._newer_verb, None), (0.1, self._long_path, None), (0.2, self._special, None),
            (0.2, self._reopen, None), (0.1, self._broken_message, None),
        ]
        self._weights = [weight for weight, _, _ in self._verbs]

    def __iter__(self):
        return self

    def __next__(self):
        connection = self._turn()
        opened = self._open[connection]
        if opened and self._random.random() < 0.6:
            return self._in_transaction(connection, self._random.choice(opened))
        _, make, type_ = self._random.choices(self._verbs, self._weights)[0]
        return make(connection, type_) if type_ is not None else make(connection)

    def _turn(self):
        """The connection whose turn it is."""
        return self._random.randrange(self._connections)

    # -- paths ------------------------------------------------------------------------------

    def _roots_in_use(self):
        return {transaction.root for opened in self._open for transaction in opened}

    def _root(self):
        used = self._roots_in_use()
        if CONTESTED in used and self._random.random() < 0.3:
            return CONTESTED
        return self._random.choice(SHARED + [root for root in LEASED if root not in used])

    def _path(self, root=None):
        if root is None:
            if self._random.random() < 0.02:
                return self._random.choice(VALID_BUT_UNUSUAL)
            if self._random.random() < 0.04:
                return self._random.choice([BIG, BIG + "/" + self._random.choice(BIG_NAMES)])
            root = self._root()
        depth = self._random.choice([0, 1, 1, 1, 2, 2, 3, 4])
        path = "/".join([root] + [self._random.choice(NAMES) for _ in range(depth)])
        own = home(self._domid)
        if path.startswith(own) and self._random.random() < 0.6:
            return path[len(own):]
        return path

    # -- what is well-formed ----------------------------------------------------------------

    def _request(self, connection, type_, payload=b"", **more):
        cuts = ()
        if self._random.random() < 0.02:
            size = 16 + len(payload)
            cuts = tuple(sorted(self._random.sample(range(1, size), min(3, size - 1))))
        return Step(connection, REQUEST, type_, payload, cuts=cuts, domid=self._domid, **more)

    def _value(self):
        size = self._random.choice([0, 1, 5, 5, 20, 20, 100, 500])
        if self._random.random() < 0.01:
            size = self._random.choice([2030, 2048, 3000])
        return bytes(self._random.choices(b"abc\0 /\xff", k=size))

    def _path_request(self, connection, type_, root=None, **more):
        path = self._path(root)
        if type_ == Type.RM and path in ROOTS and self._random.random() < 0.8:
            # A store that is emptied all the time has nothing to compare.
            path += "/" + self._random.choice(NAMES)
        return self._request(connection, type_, strings(path), **more)

    def _write(self, connection, root=None, **more):
        payload = strings(self._path(root)) + self._value()
        return self._request(connection, Type.WRITE, payload, **more)

    def _set_perms(self, connection, root=None, **more):
        count = self._random.choice([0, 0, 1, 1, 2, 3])
        entries = [self._random.choice(PERMISSIONS)]
        entries += [self._random.choice(ENTRIES) for _ in range(count)]
        if self._random.random() < 0.05:
            entries[0] = "n3"
        payload = strings(self._path(root), *entries)
        return self._request(connection, Type.SET_PERMS, payload, **more)

    def _directory_part(self, connection, root=None, **more):
        path = BIG if root is None and self._random.random() < 0.4 else self._path(root)
        if path == BIG:
            offset = self._random.choice([0, 61, 122, 61 * 60, 61 * 67, 61 * 89, 61 * 90, 7, 10000])
        else:
            offset = self._random.choice([0, 0, 0, 2, 4, 1, 100])
        return self._request(connection, Type.DIRECTORY_PART, strings(path, offset), **more)

    def _watch(self, connection):
        path = self._random.choice(["/", "/a", "@releaseDomain", "@introduceDomain", self._path(),
                                    self._path(), self._path(), self._path()])
        token = self._random.choice(TOKENS)
        if self._random.random() < 0.01:
            token = "y" * (4080 - len(path) + self._random.randrange(-2, 17))
        payload = strings(path, token)
        if len(payload) > 4096:
            payload = payload[:4095] + b"\0"
        if len(self._watches[connection]) > 25:
            return self._unwatch(connection)
        self._watches[connection].append(payload)
        return self._request(connection, Type.WATCH, payload)

    def _unwatch(self, connection):
        known = self._watches[connection]
        if known and self._random.random() < 0.85:
            payload = known.pop(self._random.randrange(len(known)))
        else:
            payload = strings(self._path(), self._random.choice(TOKENS))
        return self._request(connection, Type.UNWATCH, payload)

    def _reset_watches(self, connection, **more):
        self._watches[connection].clear()
        self._open[connection].clear()
        return self._request(connection, Type.RESET_WATCHES, **more)

    # -- transactions -----------------------------------------------------------------------

    def _transaction_start(self, connection):
        if len(self._open[connection]) >= 3:
            return self._transaction_end(connection)
        self._count += 1
        free = [root for root in LEASED if root not in self._roots_in_use()]
        root = CONTESTED
        if free and self._random.random() >= self._conflicts:
            root = self._random.choice(free)
        length = self._random.choice([0, 1, 2, 4, 8, 15])
        transaction = _Transaction(f"T{self._count}", root, length)
        self._open[connection].append(transaction)
        return self._request(connection, Type.TRANSACTION_START, b"\0", opens=transaction.name)

    def _transaction_end(self, connection, transaction=None):
        opened = self._open[connection]
        if transaction is None:
            if not opened:
                return self._request(connection, Type.TRANSACTION_END,
                                     self._random.choice([b"T\0", b"F\0", b"X\0", b""]))
            transaction = self._random.choice(opened)
        if self._random.random() < 0.03:
            payload = self._random.choice([b"", b"T", b"X\0", b"TT\0", b"T\0F\0", b"\0"])
        else:
            payload = self._random.choice([b"T\0", b"T\0", b"T\0", b"F\0"])
            opened.remove(transaction)
        return self._request(connection, Type.TRANSACTION_END, payload,
                             transaction=transaction.name)

    def _in_transaction(self, connection, transaction):
        if transaction.left <= 0:
            return self._transaction_end(connection, transaction)
        transaction.left -= 1
        more = {"root": transaction.root, "transaction": transaction.name}
        chance = self._random.random()
        if chance < 0.25:
            return self._write(connection, **more)
        if chance < 0.30:
            return self._set_perms(connection, **more)
        if chance < 0.33:
            return self._directory_part(connection, **more)
        if chance < 0.34:
            # Types to which a transaction means nothing, and a second start in it.
            type_ = self._random.choice([Type.TRANSACTION_START, Type.GET_DOMAIN_PATH,
                                         Type.IS_DOMAIN_INTRODUCED])
            return self._request(connection, type_, b"0\0", transaction=transaction.name)
        if chance < 0.342:
            return self._reset_watches(connection, transaction=transaction.name)
        type_ = self._random.choice([Type.READ, Type.READ, Type.DIRECTORY, Type.GET_PERMS,
                                     Type.MKDIR, Type.RM])
        return self._path_request(connection, type_, **more)

    # -- what is not well-formed, or not for everybody ---------------------------------------

    def _domain_request(self, connection):
        type_ = self._random.choice([Type.GET_DOMAIN_PATH, Type.IS_DOMAIN_INTRODUCED, Type.RELEASE,
                                     Type.RESUME, Type.SET_TARGET, Type.INTRODUCE, Type.CONTROL])
        domid = self._random.choice([1, 7, 32751])
        payload = {
            Type.GET_DOMAIN_PATH: strings(self._random.choice([0, 1, 7, 32751, 65535])),
            Type.IS_DOMAIN_INTRODUCED: strings(self._random.choice([0, 1, 7, 32752, 65535])),
            Type.RELEASE: strings(self._random.choice([0, domid])),
            Type.RESUME: strings(domid),
            Type.SET_TARGET: strings(domid, self._random.choice([0, 7])),
            Type.INTRODUCE: strings(domid, 0, self._random.choice([0, 5])),
            Type.CONTROL: strings(self._random.choice(["", "nonsense", "chec", "HELP"])),
        }[type_]
        if self._random.random() < 0.25:
            payload = self._random.choice([b"", b"1", b"1\0x", b"\0\0\0\0", b"1\0002\0003"])
            if type_ in (Type.INTRODUCE, Type.SET_TARGET):
                payload = self._random.choice([b"", b"1", b"1\0", b"1\000002"])
        elif self._random.random() < 0.03 and type_ != Type.CONTROL:
            payload = self._random.choice([b"", b"x", b"-", b"+", b" ", b"99999"]) + payload
        return self._request(connection, type_, payload)

    def _other_type(self, connection):
        return self._request(connection, self._random.choice(OTHER_TYPES), strings(self._path()))

    def _bad_path(self, connection):
        path = self._random.choice(BAD_PATHS)
        type_ = self._random.choice([Type.READ, Type.DIRECTORY, Type.WRITE, Type.MKDIR, Type.RM,
                                     Type.GET_PERMS, Type.SET_PERMS, Type.DIRECTORY_PART,
                                     Type.WATCH, Type.UNWATCH])
        if path.startswith("@") and type_ in (Type.GET_PERMS, Type.SET_PERMS, Type.WATCH):
            type_ = Type.READ
        payload = strings(path)
        if type_ == Type.WRITE:
            payload += b"value"
        elif type_ == Type.SET_PERMS:
            payload += b"n0\0"
        elif type_ == Type.DIRECTORY_PART:
            payload += b"0\0"
        elif type_ in (Type.WATCH, Type.UNWATCH):
            payload += b"token\0"
        return self._request(connection, type_, payload)

    def _bad_payload(self, connection):
        type_ = self._random.choice([Type.READ, Type.DIRECTORY, Type.MKDIR, Type.RM, Type.WRITE,
                                     Type.GET_PERMS, Type.SET_PERMS, Type.DIRECTORY_PART,
                                     Type.WATCH, Type.UNWATCH])
        path = raw(self._path())
        payload = self._random.choice([b"", path, b"\0", b"\0\0", path + b"\0rest",
                                       path + b"\0a\0b", path + b"\0\0\0",
                                       b"\0" * 4096, b"x" * 4096])
        if type_ == Type.WATCH and payload.count(b"\0") > 2:
            payload = path
        return self._request(connection, type_, payload)

    def _bad_permission(self, connection):
        entries = [self._random.choice(BAD_PERMISSIONS)]
        if self._random.random() < 0.5:
            entries.insert(0, "n0")
        return self._request(connection, Type.SET_PERMS, strings(self._path(), *entries))

    def _unknown_transaction(self, connection):
        type_ = self._random.choice([Type.READ, Type.WRITE, Type.RM, Type.WATCH, Type.UNWATCH,
                                     Type.TRANSACTION_START, Type.TRANSACTION_END,
                                     Type.GET_DOMAIN_PATH, Type.RESET_WATCHES, Type.CONTROL, 15])
        payload = strings(self._path())
        if type_ in (Type.WATCH, Type.UNWATCH):
            payload = strings(self._path(), "t")
        return self._request(connection, type_, payload, transaction=UNKNOWN_TRANSACTION)

    def _newer_verb(self, connection):
        type_, payload = self._random.choice([
            (Type.GET_FEATURE, b""), (Type.SET_FEATURE, strings(0)), (Type.GET_QUOTA, b""),
            (Type.GET_QUOTA, strings("nodes")), (Type.SET_QUOTA, strings("nonsense", 1)),
            (Type.WATCH, strings(self._path(), "depth", 1)),
            (Type.WATCH, strings(self._path(), "depth", -1)),
        ])
        return self._request(connection, type_, payload)

    def _long_path(self, connection):
        type_ = self._random.choice([Type.READ, Type.DIRECTORY, Type.GET_PERMS])
        return self._request(connection, type_, strings(self._random.choice(LONG_PATHS)))

    def _special(self, connection):
        type_, payload = self._random.choice([
            (Type.WATCH, strings("@no space", "t")), (Type.WATCH, strings("@unknown", "t")),
            (Type.UNWATCH, strings("@unknown", "t")), (Type.UNWATCH, strings("@nowhere", "t")),
            (Type.GET_PERMS, strings("@introduceDomain")), (Type.GET_PERMS, strings("@unknown")),
        ])
        return self._request(connection, type_, payload)

    def _reopen(self, connection):
        self._watches[connection].clear()
        self._open[connection].clear()
        return Step(connection, REOPEN)

    def _broken_message(self, connection):
        self._watches[connection].clear()
        self._open[connection].clear()
        length = self._random.choice([4097, 5000, 0x40000000, 0x80000000, 0xFFFFFFFF])
        return Step(connection, RAW, payload=struct.pack("=IIII", Type.READ, 1, 0, length))
