# SPDX-License-Identifier: GPL-2.0-or-later
"""Known differences between Debian's xenstored 4.17 and ours, each with its reason.

A rule explains one pair of replies to one type of request, under a condition that keeps it
from hiding anything else. Every rule counts its hits; all of them together may explain only
a small share of the replies, or else the comparison would prove little.
"""

from collections import Counter
from dataclasses import dataclass

from tests.lib.xswire import Type, strings, type_name
import generate
from side import REPLY, kind
from transaction import absolute, below, parent_of, path_of

# The largest part of all replies that rules may explain.
LIMIT = 0.02


@dataclass(frozen=True)
class Rule:
    """type: (theirs, ours) is as it should be when applies(case); see transaction.Case."""

    type: int
    theirs: str
    ours: str
    reason: str
    applies: object
    # Does ours see the past? Then what follows from it must not be committed.
    past: bool = False
    # Makes the request that takes back, on the daemon that obeyed, what was done there.
    undo: object = None
    # Is the transaction given up on both daemons, because they cannot be in line in it?
    abandon: bool = False
    # Do both begin anew afterwards, because what one of them did cannot be taken back?
    anew: bool = False

    def __str__(self):
        return f"{type_name(self.type)}: theirs {self.theirs}, ours {self.ours}: {self.reason}"


class Rules:
    """The rules and how often each was needed."""

    def __init__(self, rules):
        self._rules = list(rules)
        self.hits = {rule: 0 for rule in self._rules}

    def find(self, case):
        for rule in self._rules:
            if (rule.type == case.step.type and rule.theirs == kind(case.theirs.reply)
                    and rule.ours == kind(case.ours.reply) and rule.applies(case)):
                return rule
        return None

    def hit(self, rule):
        self.hits[rule] += 1

    def total(self):
        return sum(self.hits.values())

    def report(self, compared):
        lines = [f"{count:6}  {rule}" for rule, count in self.hits.items() if count]
        share = 100 * self.total() / compared if compared else 0
        lines.append(f"{self.total():6}  of {compared} replies were explained by rules: "
                     f"{share:.2f} % (at most {100 * LIMIT:.0f} %)")
        return "\n".join(lines)

    def within_limit(self, compared):
        return self.total() <= LIMIT * compared


def _arguments(step):
    return step.payload.split(b"\0")


def _unwatch(step):
    path, token = _arguments(step)[:2]
    return generate.Step(step.connection, type=Type.UNWATCH, payload=strings(path, token),
                         domid=step.domid)


def _overtaken(case):
    """Others changed something there, and ours answers as of the start of the transaction."""
    transaction, path = case.transaction, path_of(case.step)
    if transaction is None or not transaction.is_overtaken(path):
        return False
    there = path in transaction.nodes
    if case.step.type == Type.RM:
        there = there or parent_of(path) in transaction.nodes
    return there == (kind(case.ours.reply) == "ok")


def _torn(case):
    """4.17 has seen a part of this path before others changed it, the rest only now."""
    return _overtaken(case) and case.transaction.has_looked_near(parent_of(path_of(case.step)))


def _torn_parent(case):
    """The parent was removed and is there again with a node that others made below it as well."""
    transaction, parent = case.transaction, parent_of(path_of(case.step))
    return (transaction is not None and parent in transaction.nodes
            and any(below(path, parent) and transaction.is_overtaken(path)
                    for path in transaction.made_again()))


def _ended_overtaken(case):
    return case.transaction is not None and case.transaction.is_overtaken_anywhere()


def _ended_with_others(case):
    return case.transaction is not None and bool(case.transaction.overtaken_by)


def _came_to_nothing(case):
    """Ours changed nothing: at the start there was nothing to do, or it was refused."""
    transaction = case.transaction
    return (not case.replayed and not case.ours.changed and bool(case.theirs.changed)
            and not transaction.leaves_changes()
            and (transaction.diverged or transaction.is_idle()))


def same_but_for_order_of(paths, case):
    """Do both have the same events, and those not for these paths in the same order?"""
    def steady(events, domid):
        return [event for event in events
                if event == REPLY or absolute(event[0], domid) not in paths]

    theirs = case.theirs.events + [[(path, "") for path in case.theirs.changed]]
    ours = case.ours.events + [[(path, "") for path in case.ours.changed]]
    return bool(paths) and case.theirs.reply == case.ours.reply and all(
        Counter(one) == Counter(other) and steady(one, domid) == steady(other, domid)
        for one, other, domid in zip(theirs, ours, case.domids + (0,)))


def _made_again(case):
    return same_but_for_order_of(case.transaction.made_again(), case)


def _seen_on_the_way(case):
    on_the_way = case.transaction.seen_on_the_way()
    return bool(on_the_way) and same_but_for_order_of(
        case.transaction.made_again() | on_the_way, case)


def _has_depth(case):
    return case.step.payload.count(b"\0") >= 3


def _has_odd_byte(path):
    return any(not (chr(byte).isascii() and (chr(byte).isalnum() or byte in b"-/_@"))
               for byte in path)


def _odd_special_name(case):
    path = _arguments(case.step)[0]
    return path.startswith(b"@") and _has_odd_byte(path)


def _invalid_path(case):
    path = _arguments(case.step)[0]
    return not path or _has_odd_byte(path) or path.endswith(b"/") or b"//" in path


def special(case):
    return case.step.payload.startswith(b"@")


def _over_long(case):
    return len(path_of(case.step)) > 2048


def _odd_domid(case):
    """Is one of the arguments no number from 0 to 65535?"""
    used = {Type.INTRODUCE: 1, Type.SET_TARGET: 2}.get(case.step.type, 1)
    return any(not argument.isdigit() or int(argument) > 65535
               for argument in _arguments(case.step)[:used])


def known():
    """The rules for Debian's C xenstored 4.17."""
    snapshot = "a transaction sees the store as of its start, not each node as of its first use"
    for type_ in (Type.READ, Type.DIRECTORY, Type.DIRECTORY_PART, Type.GET_PERMS):
        for theirs, ours in (("ok", "ok"), ("ENOENT", "ok"), ("ok", "ENOENT")):
            yield Rule(type_, theirs, ours, snapshot, _overtaken, past=True)
    for type_ in (Type.RM, Type.SET_PERMS):
        for theirs, ours in (("ENOENT", "ok"), ("ok", "ENOENT")):
            yield Rule(type_, theirs, ours, snapshot, _overtaken, past=True)
    for theirs in ("EIO", "EINVAL"):
        for ours in ("ok", "ENOENT"):
            yield Rule(Type.RM, theirs, ours, "4.17 has seen the node or its parent before others "
                       "changed them, and the other one after that", _torn, past=True)
    yield Rule(Type.RM, "ENOENT", "ok", "4.17 does not make a removed parent again for a node "
               "that others made", _torn_parent, past=True)
    yield Rule(Type.TRANSACTION_END, "ok", "EAGAIN",
               "what it read at its start was changed by others", _ended_overtaken)
    yield Rule(Type.TRANSACTION_END, "EAGAIN", "ok",
               "others touched the same nodes, but nothing that it depends on (replayed: "
               "same replies) or it changed nothing", _ended_with_others)
    yield Rule(Type.TRANSACTION_END, "ok", "ok",
               "at its start it had nothing to do, at its end it has", _came_to_nothing, past=True)
    yield Rule(Type.TRANSACTION_END, "ok", "ok",
               "in 4.17 the event of a node that was removed with something above it and made "
               "again has its place at the removal", _made_again)
    yield Rule(Type.TRANSACTION_END, "ok", "ok", "order of events: a request for a missing node "
               "looks at what is above it up to what is there, and others changed that",
               _seen_on_the_way)

    yield Rule(Type.WATCH, "EINVAL", "ok", "depth of a watch, since 4.22", _has_depth,
               undo=_unwatch)
    yield Rule(Type.WATCH, "ok", "EINVAL", "4.17 takes any byte in a special name",
               _odd_special_name, undo=_unwatch)
    for ours in ("ok", "ENOENT"):
        yield Rule(Type.GET_PERMS, "EINVAL", ours, "special nodes have permissions, since 4.18",
                   special)
    yield Rule(Type.UNWATCH, "ENOENT", "EINVAL", "4.17 does not check the path", _invalid_path)
    for type_ in (Type.READ, Type.DIRECTORY, Type.GET_PERMS):
        yield Rule(type_, "EINVAL", "ENOENT",
                   "4.17 limits the length of paths for domain 0 too", _over_long)
    for type_, outcomes in ((Type.GET_FEATURE, ("ok",)), (Type.SET_FEATURE, ("EINVAL",)),
                            (Type.GET_QUOTA, ("ok",)), (Type.SET_QUOTA, ("EINVAL",))):
        for ours in outcomes:
            yield Rule(type_, "ENOSYS", ours, "since 4.21 or 4.22", lambda case: True)
    domid = "4.17 reads domain ids with atoi"
    for type_ in (Type.GET_DOMAIN_PATH, Type.IS_DOMAIN_INTRODUCED, Type.INTRODUCE, Type.SET_TARGET):
        yield Rule(type_, "ok", "EINVAL", domid, _odd_domid)
    for type_ in (Type.RELEASE, Type.RESUME, Type.SET_TARGET):
        yield Rule(type_, "ENOENT", "EINVAL", domid, _odd_domid)
