# SPDX-License-Identifier: GPL-2.0-or-later
"""Random requests in which the C daemons and oxenstored are meant to agree.

oxenstored differs from them in whole areas: newer requests, owners of new nodes, quotas, what
the root holds, how often transactions conflict. There is nothing to be learned there, so these
areas are avoided instead of explained away:

  * guests change nodes in their homes only, and what a home holds keeps its owner: then an
    inherited owner and the creator are the same;
  * transactions work where nobody else does;
  * every request has a payload and every name is well-formed and short.
"""

import dataclasses

from tests.lib.xswire import Type, strings
import generate
from guest_requests import DOMIDS, GUESTS, HOMES, GuestGenerator
from guests import GuestSide
from rules import Rule
from side import REPLY, Seen
from transaction import absolute, below, path_of

AVOIDED = (Type.DIRECTORY_PART, Type.CONTROL, Type.RELEASE, Type.RESUME, Type.SET_TARGET,
           Type.INTRODUCE, Type.GET_FEATURE, Type.SET_FEATURE, Type.GET_QUOTA, Type.SET_QUOTA)
TOP = tuple(generate.SHARED + generate.LEASED + [generate.BIG]) + tuple(HOMES.values())


def owner_of(path):
    """The domain to which everything at this place belongs."""
    for domid in GUESTS:
        if (path + "/").startswith(HOMES[domid] + "/"):
            return domid
    return 0


class CommonGenerator(GuestGenerator):
    """Yields steps for which all xenstoreds have one answer."""

    def __init__(self, seed):
        super().__init__(seed, conflicts=0)
        avoided = ("_newer_verb", "_long_path", "_special", "_unknown_transaction", "_other_type",
                   "_set_target", "_broken_message", "_bad_payload", "_bad_path",
                   "_bad_permission", "_directory_part")
        self._verbs = [verb for verb in self._verbs if verb[1].__name__ not in avoided]
        self._weights = [weight for weight, _, _ in self._verbs]

    def _transaction_start(self, connection):
        if self._roots_in_use().issuperset(generate.LEASED):
            return self._transaction_end(connection)
        return super()._transaction_start(connection)

    def __next__(self):
        while True:
            step = super().__next__()
            if step.type == Type.RESET_WATCHES:
                step = dataclasses.replace(step, payload=b"\0")
            if step.kind == generate.REOPEN or self._is_common(step):
                return step

    def _is_common(self, step):
        if step.type == Type.TRANSACTION_END and step.payload not in (b"T\0", b"F\0"):
            return False
        if step.type in AVOIDED or step.kind == generate.RAW or not step.payload:
            return False
        path, _, rest = step.payload.partition(b"\0")
        path = path.decode("latin-1")
        if step.type in (Type.READ, Type.DIRECTORY, Type.GET_PERMS, Type.WRITE, Type.MKDIR, Type.RM,
                         Type.SET_PERMS):
            if not path.startswith("/"):
                path = HOMES[step.domid] + "/" + path
            if not path.startswith(TOP):
                return False
            # Whether there is something that is hidden: not all hide that.
            if step.domid and owner_of(path) not in (0, step.domid) and path not in TOP:
                return False
            if step.type in (Type.WRITE, Type.MKDIR, Type.RM, Type.SET_PERMS):
                if step.type == Type.RM and path in TOP:
                    return False
                if step.domid and owner_of(path) != step.domid:
                    return False
        return len(rest) < 900 and "//" not in path

    def _set_perms(self, connection, root=None, **more):
        step = super()._set_perms(connection, root, **more)
        path, *entries = step.payload[:-1].decode("latin-1").split("\0")
        full = path if path.startswith("/") else HOMES[self._domid] + "/" + path
        entries = [self._random.choice("nrrr") + str(owner_of(full))] + [
            "nr"[self._random.randrange(2)] + str(self._random.choice(DOMIDS))
            for _ in entries[1:5]]
        return self._request(connection, Type.SET_PERMS, strings(path, *entries), **more)


def refill(client):
    """Makes the tree with which every session begins."""
    for path in TOP:
        if client.exists(path):
            client.rm(path)
    for path in TOP:
        client.mkdir(path)
        client.set_perms(path, [f"n{owner_of(path)}"] if owner_of(path) else ["r0"])


class CommonSide(GuestSide):
    """What all xenstoreds have in common: not the order of children and events."""

    def _introduce(self, domid):
        """A guest ends its watches and transactions itself; reconnecting is another matter."""
        if hasattr(self, "clients"):
            index = self.domids.index(domid)
            self.clients[index].request(Type.RESET_WATCHES, b"\0")
            self.clients[index].drain_events()

    def note_start(self, step, reply):
        self._next_id[step.connection] = None
        super().note_start(step, reply)

    @staticmethod
    def seen(step, reply, before, after):
        seen = GuestSide.seen(step, reply, before, after)
        if step.type == Type.DIRECTORY and reply.type == Type.DIRECTORY:
            names = sorted(reply.payload.split(b"\0"))
            reply = reply._replace(payload=b"\0".join(names))
        if step.type == Type.TRANSACTION_END:
            # oxenstored tells of each request of a commit, others of each node.
            return Seen(reply, [], [])
        # oxenstored gives an event for each watch, others one for watches of the same token.
        events = [sorted({event for event in events if event != REPLY}) for events in seen.events]
        return Seen(reply, events, sorted(seen.changed))

    def dump(self):
        tree = {}
        waiting = list(TOP)
        while waiting:
            path = waiting.pop()
            names = sorted(self.observer.ls(path))
            tree[path] = (self.observer.read(path), self.observer.get_perms(path), names)
            waiting += [path + "/" + name for name in names]
        for path in ("/", "/local", "/local/domain"):
            tree[path] = ()
        return tree


def _watched_below(case):
    """Do the same connections have more events, for paths below what was removed?"""
    removed = path_of(case.step)
    return case.theirs.reply == case.ours.reply and all(
        set(ours) <= set(theirs)
        and all(below(absolute(path, domid), removed) for path, _ in set(theirs) - set(ours))
        for theirs, ours, domid in zip(case.theirs.events, case.ours.events, case.domids))


def known_of_oxenstored():
    """The rules for Debian's oxenstored 4.17."""
    for type_ in (Type.READ, Type.DIRECTORY, Type.GET_PERMS):
        yield Rule(type_, "ENOENT", "EACCES", "oxenstored tells that there is nothing where the "
                   "caller may not look", lambda case: bool(case.step.domid))
    yield Rule(Type.RM, "ok", "ok", "oxenstored also tells those who watch what was not there "
               "below a removed node", _watched_below)
