# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of an open transaction, and of which nodes there are.

The tester counts along which nodes exist: now, and in what a transaction sees of the store
as of its start. So what others have made or removed meanwhile is known in full, nodes that
came and went implicitly included, and it can be judged whether an answer is of the past.
"""

from dataclasses import dataclass

from tests.lib.xswire import Type
import generate
from side import Seen, kind

WRITERS = (Type.WRITE, Type.MKDIR, Type.RM, Type.SET_PERMS)
# Requests that are answered with OK when there is nothing to do, too.
IDEMPOTENT = (Type.RM, Type.MKDIR)


def absolute(path, domid=0):
    """The absolute form of a path that a domain uses."""
    return path if path.startswith(("/", "@")) else generate.home(domid) + path


def path_of(step):
    """The absolute path that a request names (meaningless when it names none)."""
    return absolute(step.payload.partition(b"\0")[0].decode("latin-1"), step.domid)


def parent_of(path):
    return path.rpartition("/")[0] or "/"


def below(path, top):
    """Is a path top itself or anywhere below it?"""
    return (path.rstrip("/") + "/").startswith(top.rstrip("/") + "/")


def related(one, other):
    return below(one, other) or below(other, one)


def apply(nodes, step, reply):
    """Follows, in a set of paths, what a request with this reply makes or removes."""
    if kind(reply) != "ok":
        return
    path = path_of(step)
    if step.type in (Type.WRITE, Type.MKDIR):
        while path not in nodes:
            nodes.add(path)
            path = parent_of(path)
    elif step.type == Type.RM and path in nodes:
        nodes.difference_update([node for node in nodes if below(node, path)])


def has_effect(nodes, step):
    """Has a request that changes something anything to do when there are these nodes?"""
    if step.type in IDEMPOTENT:
        return (path_of(step) in nodes) == (step.type == Type.RM)
    return True


class Transaction:
    """An open transaction: what it did, what it sees, and what others changed meanwhile."""

    def __init__(self, connection, nodes, domid=0):
        self.connection = connection
        self.domid = domid
        # Was its domain given another target meanwhile?
        self.retargeted = False
        self.log = []
        # The nodes that there were at its start, and those that it sees of that now.
        self.base = frozenset(nodes)
        self.nodes = set(nodes)
        # The positions in the log of the writes that had something to do there.
        self.effective = set()
        self.overtaken_by = set()
        # Was a request in it answered differently, and rightly so?
        self.diverged = False
        # Was it taken back, although the client wanted it to be committed?
        self.given_up = False

    def note(self, step, theirs, ours):
        if step.type in WRITERS and kind(ours) == "ok" and has_effect(self.nodes, step):
            self.effective.add(len(self.log))
        self.log.append((step, theirs, ours))
        apply(self.nodes, step, ours)

    def _writes(self):
        """(position, step) of all that may have changed the store."""
        return [(position, step) for position, (step, theirs, ours) in enumerate(self.log)
                if step.type in WRITERS and "ok" in (kind(theirs), kind(ours))]

    def wrote(self):
        """Has it done anything that may change the store?"""
        return bool(self._writes())

    def is_overtaken(self, path):
        """Has somebody else changed this path, something above it, or something below it?"""
        return any(related(path, changed) for changed in self.overtaken_by)

    def is_overtaken_anywhere(self):
        return any(self.is_overtaken(path_of(step)) for step, _, _ in self.log)

    def has_looked_near(self, path):
        """Did an earlier request look at a path above or below, or at the path itself?"""
        return any(related(path_of(step), path) for step, _, _ in self.log)

    def is_idle(self):
        """Had an overtaken request nothing to do, though it was answered with OK?"""
        return any(step.type in IDEMPOTENT and kind(theirs) == kind(ours) == "ok"
                   and self.is_overtaken(path_of(step)) and position not in self.effective
                   for position, (step, theirs, ours) in enumerate(self.log))

    def leaves_changes(self):
        """Must there be an event if what it did at its start is committed?"""
        paths = {path_of(self.log[position][0]) for position in self.effective}
        return not paths.isdisjoint(self.base | self.nodes)

    def made_again(self):
        """What it removed with something above it, and then made or changed."""
        removed, again = [], set()
        for _, step in self._writes():
            path = path_of(step)
            if any(below(path, top) and path != top for top in removed):
                again.add(path)
            if step.type == Type.RM:
                removed.append(path)
        return again

    def seen_on_the_way(self):
        """What it changed after an overtaken request for something below it.

        A request for a missing node looks at what is above, too, but how far depends on what
        is there at the time.
        """
        return {path_of(step) for position, step in self._writes()
                if any(below(path, path_of(step)) and path != path_of(step)
                       and self.is_overtaken(path)
                       for path in (path_of(earlier) for earlier, _, _ in self.log[:position]))}


@dataclass(frozen=True)
class Case:
    """What a rule has to judge: a step, its transaction, and what both daemons did."""

    step: generate.Step
    transaction: Transaction
    theirs: Seen
    ours: Seen
    # Has one of the two done the transaction again, at its end?
    replayed: bool = False
    # The domain of each connection.
    domids: tuple = ()
