# SPDX-License-Identifier: GPL-2.0-or-later
"""Random work of several clients, as a list of steps that can be played again.

What a client is answered must not depend on whether, and where, the daemon is updated.  So a
scenario is played once without an update and again with updates at some of its steps; the
two transcripts must be equal.
"""

import random

from tests.lib.xswire import Type, strings

CLIENTS = 3
NAMES = ("a", "b", "c", "d")


def path(rng):
    depth = rng.choice((1, 2, 2, 3))
    return "/" + "/".join(["s"] + [rng.choice(NAMES) for _ in range(depth)])


def step(rng):
    """One step: (client, kind, arguments)."""
    client = rng.randrange(CLIENTS)
    where = path(rng)
    in_transaction = rng.random() < 0.6
    kind = rng.choices(
        ("read", "write", "same", "mkdir", "rm", "ls", "perms", "chmod", "start", "commit",
         "abort", "watch", "unwatch", "big", "special"),
        (8, 10, 3, 5, 8, 8, 3, 3, 8, 5, 1, 2, 1, 1, 1))[0]
    return client, kind, where, in_transaction, rng.randrange(1000)


def generate(seed, length):
    rng = random.Random(seed)
    steps = [step(rng) for _ in range(length)]
    # At the end everybody ends what is open, and the store is looked at.
    steps += [(client, "commit", "/", True, n) for client in range(CLIENTS) for n in range(8)]
    return steps


class Player:
    """Plays steps on a daemon; the transcript has what the clients saw."""

    def __init__(self, daemon, clients):
        self.daemon = daemon
        self.clients = clients
        self.open = [[] for _ in clients]  # transaction ids
        self.transcript = []

    def play(self, one):
        number, kind, where, in_transaction, n = one
        client = self.clients[number]
        mine = self.open[number]
        tx = mine[n % len(mine)] if in_transaction and mine else 0
        reply = self.request(client, kind, where, tx, n, mine)
        if reply is None:
            return
        client.sync()
        self.transcript.append((one, tx, reply.type, reply.payload,
                                [list(c.events) for c in self.drained()]))

    def drained(self):
        for client in self.clients:
            client.sync()
        return self.clients

    def request(self, client, kind, where, tx, n, mine):
        simple = {"read": Type.READ, "mkdir": Type.MKDIR, "rm": Type.RM, "ls": Type.DIRECTORY,
                  "perms": Type.GET_PERMS}
        if kind in simple:
            return client.exchange(simple[kind], strings(where), tx)
        if kind == "write":
            return client.exchange(Type.WRITE, strings(where) + b"%d" % n, tx)
        if kind == "same":
            return client.exchange(Type.WRITE, strings(where) + b"same", tx)
        if kind == "big":
            return client.exchange(Type.WRITE, strings(where) + bytes([n % 256]) * (2000 + n), tx)
        if kind == "chmod":
            perms = (("n0",), ("r0", "w0"), ("b0", "r0", "n0"))[n % 3]
            return client.exchange(Type.SET_PERMS, strings(where, *perms), tx)
        if kind == "special":
            name = ("@releaseDomain", "@introduceDomain")[n % 2]
            return client.exchange(Type.GET_PERMS if n % 3 else Type.SET_PERMS,
                                   strings(name) if n % 3 else strings(name, "n0", "r0"), tx)
        if kind in ("watch", "unwatch"):
            words = [where, f"t{n % 3}"]
            if kind == "watch" and n % 4 == 0:
                words.append(str(n % 3))
            return client.exchange(Type.WATCH if kind == "watch" else Type.UNWATCH,
                                   strings(*words))
        if kind == "start":
            if len(mine) >= 4:
                return None
            reply = client.exchange(Type.TRANSACTION_START, b"\0")
            mine.append(int(reply.payload[:-1]))
            return reply
        if not mine:
            return None
        tx = mine.pop(n % len(mine))
        return client.exchange(Type.TRANSACTION_END, b"T\0" if kind == "commit" else b"F\0", tx)


def prepare(client):
    """Something to work on."""
    for first in NAMES:
        for second in NAMES[:2]:
            client.write(f"/s/{first}/{second}", f"{first}{second}")
