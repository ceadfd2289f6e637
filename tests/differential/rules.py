# SPDX-License-Identifier: GPL-2.0-or-later
"""Known differences between Debian's xenstored 4.17 and ours, each with its reason.

A rule explains one pair of replies to one type of request, under a condition that keeps it
from hiding anything else. Every rule counts its hits; all of them together may explain only
a small share of the replies, or else the comparison would prove little.
"""

from dataclasses import dataclass

from tests.lib.xswire import Type, strings, type_name
import generate
from session import path_of
from side import kind

# The largest part of all replies that rules may explain.
LIMIT = 0.02


@dataclass(frozen=True)
class Rule:
    """type: (theirs, ours) is as it should be when applies(step, transaction, ours)."""

    type: int
    theirs: str
    ours: str
    reason: str
    applies: object
    # Does ours see the past? Then what follows from it must not be committed.
    past: bool = False
    # Makes the request that takes back, on the daemon that obeyed, what was done there.
    undo: object = None

    def __str__(self):
        return f"{type_name(self.type)}: theirs {self.theirs}, ours {self.ours}: {self.reason}"


class Rules:
    """The rules and how often each was needed."""

    def __init__(self, rules):
        self._rules = list(rules)
        self.hits = {rule: 0 for rule in self._rules}

    def find(self, step, transaction, theirs, ours):
        for rule in self._rules:
            if (rule.type == step.type and rule.theirs == kind(theirs.reply)
                    and rule.ours == kind(ours.reply) and rule.applies(step, transaction)):
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
    return generate.Step(step.connection, type=Type.UNWATCH, payload=strings(path, token))


def _overtaken(step, transaction):
    return transaction is not None and transaction.is_overtaken(path_of(step))


def _ended_overtaken(_step, transaction):
    return transaction is not None and transaction.is_overtaken_anywhere()


def _ended_with_others(_step, transaction):
    return transaction is not None and bool(transaction.overtaken_by)


def _has_depth(step, _transaction):
    return step.payload.count(b"\0") >= 3


def _has_odd_byte(path):
    return any(not (chr(byte).isascii() and (chr(byte).isalnum() or byte in b"-/_@"))
               for byte in path)


def _odd_special_name(step, _transaction):
    path = _arguments(step)[0]
    return path.startswith(b"@") and _has_odd_byte(path)


def _invalid_path(step, _transaction):
    path = _arguments(step)[0]
    return not path or _has_odd_byte(path) or path.endswith(b"/") or b"//" in path


def _special(step, _transaction):
    return step.payload.startswith(b"@")


def _over_long(step, _transaction):
    return len(path_of(step)) > 2048


def _odd_domid(step, _transaction):
    """Is one of the arguments no number from 0 to 65535?"""
    used = {Type.INTRODUCE: 1, Type.SET_TARGET: 2}.get(step.type, 1)
    return any(not argument.isdigit() or int(argument) > 65535
               for argument in _arguments(step)[:used])


def known():
    """The rules for Debian's C xenstored 4.17."""
    snapshot = "a transaction sees the store as of its start, not each node as of its first use"
    for type_ in (Type.READ, Type.DIRECTORY, Type.DIRECTORY_PART, Type.GET_PERMS):
        for theirs, ours in (("ok", "ok"), ("ENOENT", "ok"), ("ok", "ENOENT")):
            yield Rule(type_, theirs, ours, snapshot, _overtaken, past=True)
    for type_ in (Type.RM, Type.SET_PERMS):
        for theirs, ours in (("ENOENT", "ok"), ("ok", "ENOENT")):
            yield Rule(type_, theirs, ours, snapshot, _overtaken, past=True)
    yield Rule(Type.RM, "EIO", "ok", "4.17 sees a node that others made below a parent that it has "
               "seen without it", _overtaken, past=True)
    yield Rule(Type.TRANSACTION_END, "ok", "EAGAIN",
               "what it read at its start was changed by others", _ended_overtaken)
    yield Rule(Type.TRANSACTION_END, "EAGAIN", "ok",
               "others touched the same nodes, but nothing that it depends on (replayed: "
               "same replies) or it changed nothing", _ended_with_others)

    yield Rule(Type.WATCH, "EINVAL", "ok", "depth of a watch, since 4.22", _has_depth,
               undo=_unwatch)
    yield Rule(Type.WATCH, "ok", "EINVAL", "4.17 takes any byte in a special name",
               _odd_special_name, undo=_unwatch)
    for ours in ("ok", "ENOENT"):
        yield Rule(Type.GET_PERMS, "EINVAL", ours, "special nodes have permissions, since 4.18",
                   _special)
    yield Rule(Type.UNWATCH, "ENOENT", "EINVAL", "4.17 does not check the path", _invalid_path)
    for type_ in (Type.READ, Type.DIRECTORY, Type.GET_PERMS):
        yield Rule(type_, "EINVAL", "ENOENT",
                   "4.17 limits the length of paths for domain 0 too", _over_long)
    for type_, outcomes in ((Type.GET_FEATURE, ("ok",)), (Type.SET_FEATURE, ("EINVAL",)),
                            (Type.GET_QUOTA, ("ok",)), (Type.SET_QUOTA, ("EINVAL",))):
        for ours in outcomes:
            yield Rule(type_, "ENOSYS", ours, "since 4.21 or 4.22", lambda step, transaction: True)
    domid = "4.17 reads domain ids with atoi"
    for type_ in (Type.GET_DOMAIN_PATH, Type.IS_DOMAIN_INTRODUCED, Type.INTRODUCE, Type.SET_TARGET):
        yield Rule(type_, "ok", "EINVAL", domid, _odd_domid)
    for type_ in (Type.RELEASE, Type.RESUME, Type.SET_TARGET):
        yield Rule(type_, "ENOENT", "EINVAL", domid, _odd_domid)
