# SPDX-License-Identifier: GPL-2.0-or-later
"""One daemon of a comparison: several connections to it, and all that it sends.

One request is outstanding at a time. When its reply is there, a round trip on every
connection follows, the *barrier*: a daemon's output is one queue for each connection, so
whatever the request caused has arrived before that reply, and nothing else can have.

One connection more, the *observer*, has a watch on the root; it tells which paths a step
has changed.
"""

import collections
import socket

from tests.lib.xswire import Client, ProtocolError, Type, message

BARRIER = 0xBA221E2
OBSERVER_TOKEN = "observer"
REPLY = "reply"
TIMEOUT = 20.0

Reply = collections.namedtuple("Reply", "type payload")
Seen = collections.namedtuple("Seen", "reply events changed")


def kind(reply):
    """"ok" for a successful reply, else the name of the error."""
    if reply is None:
        return "closed"
    if reply.type == Type.ERROR:
        return reply.payload.rstrip(b"\0").decode("latin-1")
    return "ok"


class Side:
    """One daemon and our connections to it."""

    # Does it, as the daemon that is judged, see the store as of the start of a transaction?
    snapshots = True

    def __init__(self, daemon, connections):
        self.daemon = daemon
        self.domids = getattr(self, "domids", (0,) * connections)
        self.transactions = {}
        self._sent = 0
        self._next_id = [1] * connections
        self.clients = [self._client(index) for index in range(connections)]
        self._observe()

    def _connect(self):
        # Blocking: 4.17 listens with room for one, and a connect with a timeout gives up.
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connected.connect(str(self.daemon.socket))
        return Client(sock=connected, timeout=TIMEOUT)

    def _client(self, _index):
        return self._connect()

    def _observe(self):
        self.observer = self._connect()
        self.observer.watch("/", OBSERVER_TOKEN)

    def close(self):
        for client in self.clients + [self.observer]:
            client.close()

    def reopen(self, index):
        """A new connection in the place of this one."""
        self.clients[index].close()
        self.clients[index] = self._client(index)
        self._next_id[index] = 1
        self.forget_transactions(index)

    def reopen_all(self):
        for index in range(len(self.clients)):
            self.reopen(index)
        self.observer.close()
        self._observe()

    def send(self, step):
        """Sends the request of a step; False when its transaction does not exist any more."""
        transaction = step.transaction or 0
        if isinstance(transaction, str):
            if transaction not in self.transactions:
                return False
            transaction = self.transactions[transaction][1]
        self._sent += 1
        data = message(step.type, step.payload, transaction, self._sent)
        client = self.clients[step.connection]
        start = 0
        for cut in step.cuts + (len(data),):
            client.send_raw(data[start:cut])
            start = cut
        self._expected = (step.type, transaction, self._sent)
        return True

    def _receive(self, client):
        """The next message as it is to be judged, None when it was suppressed."""
        return self.judged(client.recv_message())

    def judged(self, received):
        """The message as it is to be judged; changed by those who test the tester."""
        return received

    def receive_reply(self, step):
        """Collects up to the reply of what was sent; returns (reply, events before it)."""
        type_, transaction, request = self._expected
        events = []
        while True:
            received = self._receive(self.clients[step.connection])
            if received is None:
                continue
            if received.is_event:
                events.append(tuple(received.event))
                continue
            if (received.type not in (type_, Type.ERROR) or received.req_id != request
                    or received.tx_id != transaction):
                raise ProtocolError(f"{received} is no reply to request {request} of type {type_} "
                                    f"in transaction {transaction}")
            return Reply(int(received.type), received.payload), events

    def send_barrier(self):
        for client in self.clients + [self.observer]:
            client.send_raw(message(Type.GET_DOMAIN_PATH, b"0\0", 0, BARRIER))

    def receive_barrier(self):
        """The events on each connection up to the barrier, the observer's last."""
        result = []
        for client in self.clients + [self.observer]:
            events = []
            while True:
                received = self._receive(client)
                if received is None:
                    continue
                if not received.is_event:
                    if received.req_id != BARRIER:
                        raise ProtocolError(f"{received} is a second reply")
                    break
                events.append(tuple(received.event))
            result.append(events)
            client.log.clear()
        return result

    def barrier(self):
        self.send_barrier()
        return self.receive_barrier()

    def note_start(self, step, reply):
        """Checks and remembers the id of a new transaction."""
        identifier = reply.payload[:-1]
        expected = self._next_id[step.connection]
        if expected is None and identifier.isdigit():
            expected = int(identifier)
        if identifier != str(expected).encode() or reply.payload[-1:] != b"\0":
            raise ProtocolError(f"the transaction's id is {reply.payload!r}, not {expected}")
        self._next_id[step.connection] = expected + 1
        self.transactions[step.opens] = (step.connection, expected)

    def forget_transactions(self, connection):
        for name in [name for name, (owner, _) in self.transactions.items()
                     if owner == connection]:
            del self.transactions[name]

    def run(self, step):
        """One whole step: request, reply, barrier. None when there is no such transaction."""
        if not self.send(step):
            return None
        reply, before = self.receive_reply(step)
        return self.seen(step, reply, before, self.barrier())

    @staticmethod
    def seen(step, reply, before, after):
        """What a step did, in the form in which it is compared."""
        own = before + [REPLY] + after[step.connection]
        events = [own if index == step.connection else events
                  for index, events in enumerate(after[:-1])]
        return Seen(reply, events, [path for path, _ in after[-1]])

    def dump(self):
        """The whole tree as {path: (value, permissions, names of the children)}."""
        tree = {}
        waiting = ["/"]
        while waiting:
            path = waiting.pop()
            names = self.observer.ls_parts(path)
            tree[path] = (self.observer.read(path), self.observer.get_perms(path), names)
            waiting += [(path if path != "/" else "") + "/" + name for name in names]
        return tree
