# SPDX-License-Identifier: GPL-2.0-or-later
"""Known differences that only show when some of the clients are guests."""

from tests.lib.xswire import Type
from rules import Rule, known as known_without_guests, same_but_for_order_of, special
from side import kind
from transaction import below, path_of


def _overtaken(case):
    """Has somebody changed what access depends on since the transaction was begun?"""
    transaction = case.transaction
    return (bool(case.step.domid) and transaction is not None
            and (transaction.retargeted or transaction.is_overtaken(path_of(case.step))))


def _in_guests_transaction(case):
    return bool(case.step.domid) and case.transaction is not None


def _looked_below(case):
    """Was it told of an error for something below a node that it changed later?"""
    log = case.transaction.log
    paths = {path_of(step) for position, (step, _, _) in enumerate(log)
             if any(below(path_of(earlier), path_of(step)) and kind(theirs) != "ok"
                    for earlier, theirs, _ in log[:position])}
    return bool(case.step.domid) and same_but_for_order_of(paths, case)


def known_with_guests():
    """The rules for Debian's C xenstored 4.17 with guests."""
    yield from known_without_guests()
    yield Rule(Type.WATCH, "E2BIG", "ENOSPC", "since 4.22", lambda case: bool(case.step.domid))
    for type_ in (Type.SET_FEATURE, Type.GET_QUOTA, Type.SET_QUOTA):
        yield Rule(type_, "ENOSYS", "EACCES", "since 4.21 or 4.22, for domain 0",
                   lambda case: bool(case.step.domid))
    yield Rule(Type.GET_PERMS, "EINVAL", "EACCES",
               "special nodes have permissions, since 4.18", special)
    snapshot = "a transaction has the permissions as of its start, too"
    for type_ in (Type.READ, Type.DIRECTORY, Type.DIRECTORY_PART, Type.GET_PERMS, Type.WRITE,
                  Type.MKDIR, Type.RM, Type.SET_PERMS):
        for other in ("ok", "ENOENT", "EPERM", "ENOSPC"):
            yield Rule(type_, other, "EACCES", snapshot, _overtaken, past=True)
            yield Rule(type_, "EACCES", other, snapshot, _overtaken, past=True)
    yield Rule(Type.INTRODUCE, "EINVAL", "ENOENT", "the error with which the ring cannot be mapped "
               "is told, since 4.18", lambda case: not case.step.domid)
    yield Rule(Type.TRANSACTION_END, "ok", "EAGAIN", "its domain has another target than at its "
               "start", lambda case: case.transaction is not None and case.transaction.retargeted)
    for type_ in (Type.WRITE, Type.MKDIR):
        for theirs, ours in (("ok", "ENOSPC"), ("ENOSPC", "ok")):
            yield Rule(type_, theirs, ours, "in a transaction 4.17 compares the quota with the "
                       "nodes that are committed, and looks at the others when it ends",
                       _in_guests_transaction, abandon=True)
    yield Rule(Type.TRANSACTION_END, "ENOSPC", "ok", "4.17 also refuses it when another domain "
               "that it takes nodes from has too many, made by domain 0", _in_guests_transaction,
               anew=True)
    yield Rule(Type.TRANSACTION_END, "ok", "ok", "order of events: 4.17 looks at what is above a "
               "node to which access was refused", _looked_below)
