# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes each step with two daemons and compares all that comes back.

What is compared is exact (side.py says how): the reply, and for every connection the
events, their order, and whether they came before or after the reply.

There is one matter in which two correct daemons may differ at length, a transaction that
is overtaken by changes of others:

  * ours sees the store as of the start of a transaction, theirs each node as of its first
    use, so inside an overtaken transaction replies may differ;
  * one may find a conflict where the other finds none. Then the requests of the
    transaction are *replayed* on the daemon that refused it, now, at the moment of its
    end. If every reply is the one that the other daemon gave, that one's commit was right,
    and with the replay's commit both stores are in line again, events included;
  * what came to nothing in ours may be taken to have happened at the start, although at the
    end it would do something. Then theirs, if it refused, keeps to nothing as well; if it
    committed, ours is made to do the same now.

RM and MKDIR answer OK whether or not they had anything to do. So equal replies are not
enough for them: what they did is told by the events of the commit.
"""

import contextlib
import dataclasses

from tests.lib.xswire import ProtocolError, Timeout, Type, XsError
import generate
from side import REPLY, Side, kind
from transaction import IDEMPOTENT, Case, Transaction, apply, has_effect, path_of

class Difference(Exception):
    """The two daemons differ and no rule explains it."""


class DaemonLost(Exception):
    """A daemon has died, closed a connection, or does not answer any more."""


def _refill(client):
    """Makes the tree with which every session begins."""
    for name in client.ls_parts("/"):
        client.rm("/" + name)
    client.set_perms("/", ["n0"])
    client.write("/", b"")
    for root in generate.ROOTS:
        client.mkdir(root)
    for name in generate.BIG_NAMES:
        client.write(f"{generate.BIG}/{name}", name[:3].encode())


class Session:
    """Two daemons in step. theirs is the reference; rules explain known differences.

    side and our_side connect to them, for that many connections (or for those of certain
    domains); refill makes the tree with which everything begins.
    """

    def __init__(self, theirs, ours, rules, connections=4, our_side=Side, side=Side,
                 refill=_refill):
        self.theirs = side(theirs, connections)
        self.ours = our_side(ours, connections)
        self._refill = refill
        self.sides = (self.theirs, self.ours)
        self.transactions = {}
        self.rules = rules
        self.compared = 0
        self.replayed = 0
        self._generations = {}
        # The paths of all nodes that there are.
        self._nodes = set()
        self.reset()

    def close(self):
        for side in self.sides:
            side.close()

    # -- the whole store --------------------------------------------------------------------

    def reset(self):
        """Brings both daemons to the same, known state, whatever they were in."""
        with self._judged():
            for side in self.sides:
                side.reopen_all()
                self._refill(side.observer)
                side.barrier()
        self.transactions.clear()
        self._generations.clear()
        self._nodes = set(self._dump_both())

    def compare_stores(self):
        """Raises Difference unless both have the same tree."""
        tree = self._dump_both()
        assert set(tree) == self._nodes, f"wrong count of {sorted(set(tree) ^ self._nodes)}"

    def _dump_both(self):
        with self._judged():
            theirs, ours = (side.dump() for side in self.sides)
        for path in sorted(set(theirs) | set(ours)):
            if theirs.get(path) != ours.get(path):
                raise Difference(f"the stores differ at {path}:\n  theirs {theirs.get(path)}\n"
                                 f"  ours   {ours.get(path)}")
        return theirs

    # -- one step ---------------------------------------------------------------------------

    def take(self, step):
        """Takes a step with both daemons. Raises Difference or DaemonLost."""
        with self._judged():
            if step.kind == generate.REOPEN:
                for side in self.sides:
                    side.reopen(step.connection)
                self._forget_transactions(step.connection)
            elif step.kind == generate.RAW:
                self._break(step)
            else:
                self._request(step)

    @contextlib.contextmanager
    def _judged(self):
        """Turns what can go wrong with a daemon into Difference or DaemonLost."""
        try:
            yield
        except (ConnectionError, Timeout) as problem:
            for side in self.sides:
                if not side.daemon.alive():
                    raise DaemonLost(f"{side.daemon.name} has ended with status "
                                     f"{side.daemon.process.returncode}") from problem
            raise DaemonLost(f"{type(problem).__name__}: {problem}") from problem
        except (ProtocolError, XsError) as problem:
            raise Difference(f"{type(problem).__name__}: {problem}") from problem

    def _break(self, step):
        """A message that must end the connection, in silence."""
        for side in self.sides:
            side.clients[step.connection].send_raw(step.payload)
        last = [side.clients[step.connection].wait_closed() for side in self.sides]
        for side in self.sides:
            side.reopen(step.connection)
        self._forget_transactions(step.connection)
        if last[0] != last[1]:
            raise Difference(f"before the end came: theirs {last[0]}, ours {last[1]}")

    def _request(self, step):
        sent = [side.send(step) for side in self.sides]
        if sent[0] != sent[1]:
            raise Difference(f"only one has a transaction {step.transaction}: {sent}")
        if not sent[0]:
            return
        first = [side.receive_reply(step) for side in self.sides]
        for side in self.sides:
            side.send_barrier()
        theirs, ours = (side.seen(step, reply, before, side.receive_barrier())
                        for side, (reply, before) in zip(self.sides, first))
        self.compared += 1

        transaction = self.transactions.get(step.transaction)
        nodes = set(self._nodes)
        if step.type == Type.TRANSACTION_END and transaction and "EINVAL" not in (
                kind(theirs.reply), kind(ours.reply)):
            theirs, ours = self._end(step, transaction, theirs, ours)
        elif step.type == Type.TRANSACTION_START and kind(theirs.reply) == kind(ours.reply) == "ok":
            self._start(step, theirs, ours)
        elif not self._same(step, theirs, ours):
            self._explain(step, transaction, theirs, ours)
        elif transaction:
            transaction.note(step, theirs.reply, ours.reply)
        else:
            apply(self._nodes, step, theirs.reply)
        if step.type == Type.RESET_WATCHES and kind(ours.reply) == "ok":
            self._forget_transactions(step.connection)
        self._overtake(step, (self._nodes ^ nodes).union(theirs.changed, ours.changed))

    def _overtake(self, step, changed):
        for name, transaction in self.transactions.items():
            if name != step.transaction:
                transaction.overtaken_by.update(changed)
            if step.type == Type.SET_TARGET and step.payload.startswith(
                    b"%d\0" % transaction.domid):
                transaction.retargeted = True

    def _forget_transactions(self, connection):
        for side in self.sides:
            side.forget_transactions(connection)
        self.transactions = {name: transaction for name, transaction in self.transactions.items()
                             if transaction.connection != connection}

    # -- comparison -------------------------------------------------------------------------

    def _same(self, step, theirs, ours):
        if theirs == ours:
            return True
        if (step.type != Type.DIRECTORY_PART or theirs._replace(reply=None) != ours._replace(
                reply=None) or kind(theirs.reply) != "ok" or kind(ours.reply) != "ok"):
            return False
        return self._same_part(step, theirs.reply.payload, ours.reply.payload)

    def _same_part(self, step, theirs, ours):
        """DIRECTORY_PART: generations are arbitrary, but must change at the same times."""
        their_generation, _, their_names = theirs.partition(b"\0")
        our_generation, _, our_names = ours.partition(b"\0")
        if not our_generation.isdigit():
            return False
        if step.transaction is None:
            path = path_of(step)
            before = self._generations.get(path)
            now = (their_generation, our_generation)
            self._generations[path] = now
            if before and (before[0] == now[0]) != (before[1] == now[1]):
                raise Difference(f"generation of {path}: theirs {before[0]} -> {now[0]}, "
                                 f"ours {before[1]} -> {now[1]}")
        if their_names == our_names:
            return True
        # The room for names depends on the length of the generation.
        (short, short_room), (long, long_room) = sorted(
            ((their_names, 4095 - len(their_generation)), (our_names, 4095 - len(our_generation))),
            key=lambda pair: len(pair[0]))
        if short_room >= long_room:
            return False
        rest = long[len(short):] if not short.endswith(b"\0\0") else b""
        return bool(rest) and long.startswith(short) and (
            len(short) + rest.index(b"\0") >= short_room)

    def _explain(self, step, transaction, theirs, ours):
        """Finds the rule for a difference and follows it; raises Difference without one."""
        rule = self._rule(step, transaction, theirs, ours)
        self.rules.hit(rule)
        if transaction:
            transaction.note(step, theirs.reply, ours.reply)
            transaction.diverged |= rule.past
        elif kind(theirs.reply) == kind(ours.reply):
            apply(self._nodes, step, ours.reply)
        if rule.abandon:
            self._abandon(step.transaction, transaction)
        if rule.undo:
            undo = rule.undo(step)
            side = self.theirs if kind(theirs.reply) == "ok" else self.ours
            seen = side.run(undo)
            if kind(seen.reply) != "ok":
                raise Difference(f"{undo} was answered with {kind(seen.reply)}")

    # -- transactions -----------------------------------------------------------------------

    def _start(self, step, theirs, ours):
        if theirs.events != ours.events:
            raise Difference(f"theirs {show(theirs)}\nours   {show(ours)}")
        for side, seen in zip(self.sides, (theirs, ours)):
            side.note_start(step, seen.reply)
        self.transactions[step.opens] = Transaction(step.connection, self._nodes,
                                                         step.domid)

    def _abandon(self, name, transaction):
        del self.transactions[name]
        end = generate.Step(transaction.connection, type=Type.TRANSACTION_END, payload=b"F\0",
                            transaction=name, domid=transaction.domid)
        for side in self.sides:
            seen = side.run(end)
            del side.transactions[name]
            if kind(seen.reply) != "ok" or seen.changed:
                raise Difference(f"{end} did {show(seen)}")

    def _end(self, step, transaction, theirs, ours):
        """Judges the outcome of a transaction; returns what has happened after all."""
        del self.transactions[step.transaction]
        for side in self.sides:
            del side.transactions[step.transaction]
        outcome = (kind(theirs.reply), kind(ours.reply))
        if outcome == ("EAGAIN", "ok"):
            rule = self._rule(step, transaction, theirs, ours)
            if transaction.wrote():
                theirs = self._replay(self.theirs, step, transaction, ours)
                self._same_effects(step, transaction, theirs, ours)
            self.rules.hit(rule)
        elif outcome == ("ok", "EAGAIN"):
            rule = self._rule(step, transaction, theirs, ours)
            if transaction.wrote():
                ours = self._replay(self.ours, step, transaction, theirs)
                self._same_effects(step, transaction, theirs, ours)
            self.rules.hit(rule)
        elif outcome == ("ok", "ok") and transaction.diverged and ours.changed:
            raise Difference("ours has committed changes that rest on replies of the past")
        elif theirs != ours:
            rule = self._rule(step, transaction, theirs, ours)
            if rule.anew:
                self.rules.hit(rule)
                self.reset()
                return theirs, theirs
            if rule.past:
                ours = self._replay(self.ours, step, transaction, theirs)
                self._same_effects(step, transaction, theirs, ours)
            self.rules.hit(rule)
        if (step.payload == b"T\0" and not transaction.given_up
                and kind(theirs.reply) == kind(ours.reply) == "ok"):
            for request, their_reply, our_reply in transaction.log:
                apply(self._nodes, request, our_reply if outcome[0] == "EAGAIN" else their_reply)
        return theirs, ours

    def _rule(self, step, transaction, theirs, ours):
        rule = self.rules.find(Case(step, transaction, theirs, ours, domids=self.ours.domids))
        if rule is None:
            raise Difference(f"theirs {show(theirs)}\nours   {show(ours)}")
        return rule

    def _same_effects(self, step, transaction, theirs, ours):
        """The transaction has been replayed on one side: did both do the same now?"""
        if theirs == ours:
            return
        rule = self.rules.find(Case(step, transaction, theirs, ours, replayed=True,
                                    domids=self.ours.domids))
        if rule is None:
            raise Difference("the same transaction was committed by both, the second time on one "
                             f"of them:\ntheirs {show(theirs)}\nours   {show(ours)}")
        self.rules.hit(rule)

    def _replay(self, side, step, transaction, committed):
        """Does a transaction again on the side that refused it, as the other committed it."""
        self.replayed += 1
        name = f"{step.transaction}, replayed"
        start = generate.Step(step.connection, type=Type.TRANSACTION_START, payload=b"\0",
                              opens=name, domid=step.domid)
        seen = side.run(start)
        side.note_start(start, seen.reply)
        end = request_in(step, name)
        nodes = set(self._nodes)
        for position, (request, their_reply, our_reply) in enumerate(transaction.log):
            wanted = our_reply if side is self.theirs else their_reply
            again = side.run(request_in(request, name))
            same = same_content(request, again.reply, wanted)
            if side is self.theirs and self.ours.snapshots and request.type in IDEMPOTENT:
                same &= kind(wanted) != "ok" or (
                    has_effect(nodes, request) == (position in transaction.effective))
            apply(nodes, request, again.reply)
            if same:
                continue
            if side is self.ours or committed.changed or transaction.leaves_changes():
                raise Difference(
                    f"{step.transaction} was committed by one daemon only, and that was wrong: "
                    f"at its end\n  {request}\nis answered with {again.reply.payload[:200]!r}, in "
                    f"the transaction that was committed with {wanted.payload[:200]!r}, or has "
                    "not the same effect")
            # It came to nothing, so it may be taken to have happened at its start.
            end = dataclasses.replace(end, payload=b"F\0")
            transaction.given_up = True
        seen = side.run(end)
        del side.transactions[name]
        if kind(seen.reply) != "ok":
            raise Difference(f"{step.transaction} was committed by one daemon; done again on the "
                             f"other, with nobody else active, it gives {kind(seen.reply)}")
        return seen


def request_in(step, transaction):
    """The same request in another transaction."""
    return dataclasses.replace(step, transaction=transaction, cuts=())


def same_content(step, one, other):
    """Are two replies the same but for a generation?"""
    if step.type == Type.DIRECTORY_PART and one.type == other.type != Type.ERROR:
        return one.payload.partition(b"\0")[2] == other.payload.partition(b"\0")[2]
    return one == other


def show(seen):
    """What a daemon did, for a person."""
    text = kind(seen.reply)
    if text == "ok":
        text = f"reply {seen.reply.payload[:200]!r} ({len(seen.reply.payload)} bytes)"
    for index, events in enumerate(seen.events):
        if events and events != [REPLY]:
            text += f"\n         connection {index}: {events}"
    return text
