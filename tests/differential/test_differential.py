# SPDX-License-Identifier: GPL-2.0-or-later
"""The differential test, and the tests of the tester.

A comparison that finds nothing is only worth something if it would find something. So
Debian's daemon is also compared with itself: untouched, nothing may differ; with one thing
falsified on the way, as a defect would do it, that must be noticed.
"""

import itertools
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers"), str(HERE.parent.parent)]

import generate  # noqa: E402
import peer  # noqa: E402
from rules import LIMIT, Rule, known  # noqa: E402
from guests import GuestSide  # noqa: E402
from run import CommonSetting, GuestSetting, Run, Setting, compare, minimize  # noqa: E402
from session import Difference, same_content  # noqa: E402
from side import OBSERVER_TOKEN, Reply, Side, kind  # noqa: E402
from tests.lib.xswire import Type, strings  # noqa: E402

REQUESTS = int(os.environ.get("DIFFERENTIAL_REQUESTS", "20000"))
GUEST_REQUESTS = int(os.environ.get("DIFFERENTIAL_GUEST_REQUESTS", "6000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "1"))
PEER = "debian-c"


@pytest.fixture(autouse=True)
def needs_peer():
    reason = peer.unavailable(PEER)
    if reason:
        pytest.skip(f"{PEER}: {reason}")


def with_itself(our_side=Side, rules=known):
    return Setting(ours=PEER, theirs=PEER, our_side=our_side, rules=rules)


# -- the comparison itself --------------------------------------------------------------------


def test_ours_answers_like_debians(record_outcome):
    setting = Setting(theirs=PEER)
    reason = setting.unavailable()
    if reason:
        pytest.skip(reason)
    outcome = compare(setting, REQUESTS, SEED)
    record_outcome(f"ours and {PEER} {peer.version(PEER)}, seed {SEED}", outcome)
    assert outcome.failed == 0, outcome.report()
    assert outcome.compared == REQUESTS


@pytest.mark.parametrize("setting", [GuestSetting(), CommonSetting()],
                         ids=lambda setting: setting.theirs)
def test_ours_answers_guests_like_debians(record_outcome, setting):
    reason = setting.unavailable()
    if reason:
        pytest.skip(reason)
    outcome = compare(setting, GUEST_REQUESTS, SEED)
    record_outcome(f"guests: ours and {setting.theirs} {peer.version(setting.theirs)}, "
                   f"seed {SEED}", outcome)
    assert outcome.failed == 0, outcome.report()
    assert outcome.compared == GUEST_REQUESTS


# -- the tester -------------------------------------------------------------------------------


def test_a_daemon_does_not_differ_from_itself():
    outcome = compare(with_itself(), 5000, SEED)
    assert outcome.failed == 0, outcome.report()
    assert outcome.compared == 5000
    assert outcome.rules.total() == 0, outcome.report()


def test_a_daemon_does_not_differ_from_itself_with_guests():
    outcome = compare(GuestSetting(ours=PEER, theirs=PEER), 4000, SEED)
    assert outcome.failed == 0, outcome.report()
    assert outcome.compared == 4000
    assert outcome.rules.total() == 0, outcome.report()


def falsifying(change, first=1, side=Side):
    """A Side that gives the message on which change() has an effect for the n-th time changed."""

    class Falsifying(side):
        def __init__(self, *arguments):
            self._left = first
            super().__init__(*arguments)

        def judged(self, received):
            # The frame of the comparison, barriers and stores, is not falsified.
            if not self._sent or received.payload.endswith(strings("", OBSERVER_TOKEN)):
                return received
            changed = change(received)
            if changed == received:
                return received
            self._left -= 1
            return changed if self._left == 0 else received

    return Falsifying


def flip(payload):
    return payload[:-1] + bytes([payload[-1] ^ 1])


FALSIFICATIONS = {
    "a byte of a value": lambda m: m._replace(
        payload=flip(m.payload) if m.type == Type.READ and m.payload else m.payload),
    "a byte at the end of a value": lambda m: m._replace(
        payload=m.payload + b"\0" if m.type == Type.READ else m.payload),
    "the name of an error": lambda m: m._replace(
        payload=b"EACCES\0" if m.payload == b"ENOENT\0" and m.is_error else m.payload),
    "an error for success": lambda m: m._replace(
        type=Type.ERROR, payload=b"EINVAL\0") if m.type == Type.WRITE else m,
    "success for an error": lambda m: m._replace(
        type=Type.READ, payload=b"") if m.payload == b"ENOENT\0" else m,
    "the order of children": lambda m: m._replace(
        payload=b"\0".join(m.payload[:-1].split(b"\0")[::-1]) + b"\0")
        if m.type == Type.DIRECTORY and m.payload else m,
    "a permission": lambda m: m._replace(
        payload=b"w" + m.payload[1:]) if m.type == Type.GET_PERMS else m,
    "a missing event": lambda m: None if m.is_event else m,
    "the path of an event": lambda m: m._replace(payload=b"/x" + m.payload) if m.is_event else m,
    "the token of an event": lambda m: m._replace(
        payload=m.payload[:-1] + b"x\0") if m.is_event else m,
    "a transaction's id": lambda m: m._replace(
        payload=b"77\0") if m.type == Type.TRANSACTION_START else m,
    "the transaction of a reply": lambda m: m._replace(
        tx_id=m.tx_id + 1) if m.type == Type.WRITE else m,
    "the type of a reply": lambda m: m._replace(type=Type.MKDIR) if m.type == Type.WRITE else m,
    "the request of a reply": lambda m: m._replace(
        req_id=m.req_id + 1) if m.type == Type.WRITE else m,
    "a refused commit": lambda m: m._replace(
        type=Type.ERROR, payload=b"EAGAIN\0") if m.type == Type.TRANSACTION_END else m,
}


@pytest.mark.parametrize("what", FALSIFICATIONS)
def test_what_is_falsified_once_is_found(what):
    found = compare(with_itself(falsifying(FALSIFICATIONS[what], first=20)), 6000, SEED,
                    shrink=False, enough=1)
    assert len(found.differences) == 1, f"{what} was not noticed\n{found.report()}"


# What only guests are told, or not told.
GUESTS_FALSIFICATIONS = {
    "access for a guest that has none": lambda m: m._replace(
        type=Type.READ, payload=b"") if m.payload == b"EACCES\0" else m,
    "a hidden node that is said not to exist": lambda m: m._replace(
        payload=b"ENOENT\0") if m.payload == b"EACCES\0" else m,
    "a quota that is not held": lambda m: m._replace(
        type=Type.WRITE, payload=b"OK\0") if m.payload == b"ENOSPC\0" else m,
    "another's owner": lambda m: m._replace(
        type=Type.SET_PERMS, payload=b"OK\0") if m.payload == b"EPERM\0" else m,
    "a watch too many": lambda m: m._replace(
        type=Type.WATCH, payload=b"OK\0") if m.payload == b"E2BIG\0" else m,
}


@pytest.mark.parametrize("what", GUESTS_FALSIFICATIONS)
def test_what_guests_are_told_wrongly_is_found(what):
    side = falsifying(GUESTS_FALSIFICATIONS[what], first=1, side=GuestSide)
    setting = GuestSetting(ours=PEER, theirs=PEER, our_side=side)
    found = compare(setting, 6000, SEED, shrink=False, enough=1)
    assert len(found.differences) == 1, f"{what} was not noticed\n{found.report()}"


@pytest.mark.parametrize("next_generation", [lambda: 5, itertools.count(1000).__next__],
                         ids=["stands still", "always new"])
def test_a_generation_that_does_not_follow_changes_is_found(next_generation):
    def change(message):
        if message.type != Type.DIRECTORY_PART:
            return message
        names = message.payload.partition(b"\0")[2]
        return message._replace(payload=b"%d\0" % next_generation() + names)

    setting = with_itself(type("Falsifying", (Side,), {
        "judged": lambda self, received: change(received) if self._sent else received}))
    outcome = compare(setting, 6000, SEED, shrink=False, enough=1)
    assert outcome.differences
    assert all("generation of" in difference for difference in outcome.differences)


class Merging(Side):
    """Stands for a daemon with fewer conflicts than Debian's.

    When the daemon behind it refuses a transaction, its requests are done again at once and
    committed, and the client is told OK. That is right if the replies are the same as
    before; only a careless one commits even if they are not.
    """

    careful = True
    snapshots = False

    def __init__(self, *arguments):
        self._logs = {}
        super().__init__(*arguments)

    def send(self, step):
        if isinstance(step.transaction, str) and step.type != Type.TRANSACTION_END:
            self._logs.setdefault(step.transaction, []).append([step, None])
        return super().send(step)

    def receive_reply(self, step):
        reply, events = super().receive_reply(step)
        log = self._logs.get(step.transaction, [])
        if step.type == Type.TRANSACTION_END:
            if kind(reply) == "EAGAIN":
                reply = self._again(step, log, reply)
                own = self.clients[step.connection].events
                events += [tuple(event) for event in own]
                own.clear()
        elif log and isinstance(step.transaction, str):
            log[-1][1] = reply
        return reply, events

    def _again(self, step, log, refused):
        client = self.clients[step.connection]
        transaction = client.transaction_start()
        self._next_id[step.connection] += 1
        same = True
        for request, before in log:
            reply = client.exchange(request.type, request.payload, transaction)
            same = same and same_content(request, Reply(reply.type, reply.payload), before)
        client.transaction_end(transaction, same or not self.careful)
        return refused._replace(type=int(Type.TRANSACTION_END), payload=b"OK\0") \
            if same or not self.careful else refused


class Careless(Merging):
    careful = False


def test_fewer_conflicts_are_accepted_when_they_are_right():
    outcome = compare(with_itself(Merging), 10000, SEED, shrink=False)
    assert outcome.failed == 0, outcome.report()
    assert outcome.replayed > 0
    assert 0 < outcome.rules.total() <= LIMIT * outcome.compared


def test_a_commit_with_stale_replies_is_found():
    outcome = compare(with_itself(Careless), 10000, SEED, shrink=False)
    assert any("that was wrong" in difference for difference in outcome.differences), \
        outcome.report()


# -- transactions that are overtaken -----------------------------------------------------------


def step(connection, type_, payload=b"", transaction=None, opens=None):
    payload = strings(payload) if isinstance(payload, str) else payload
    return generate.Step(connection, type=type_, payload=payload, transaction=transaction,
                         opens=opens)


START = step(0, Type.TRANSACTION_START, b"\0", opens="T")
END = step(0, Type.TRANSACTION_END, b"T\0", "T")


class EndsInPast(Side):
    """Stands for a daemon that tells the client OK, but drops what a transaction did."""

    def send(self, step):
        if step.type == Type.TRANSACTION_END and step.transaction == END.transaction:
            step = step.__class__(step.connection, type=step.type, payload=b"F\0",
                                  transaction=step.transaction)
        return super().send(step)


OVERTAKEN = {
    "a node removed that did not exist at the start":
        [START, step(1, Type.MKDIR, "/s/dd/dd"), step(0, Type.RM, "/s/dd", "T"), END],
    "a node made that existed at the start":
        [step(1, Type.MKDIR, "/s/a"), START, step(1, Type.RM, "/s/a"),
         step(0, Type.MKDIR, "/s/a", "T"), END],
}


@pytest.mark.parametrize("what", OVERTAKEN)
def test_nothing_to_do_at_the_start_is_brought_in_line(what):
    with Run(with_itself(EndsInPast)) as run:
        for one in OVERTAKEN[what]:
            run.session.take(one)
        run.session.compare_stores()
        assert run.rules.total() == 1
        assert run.session.replayed == 1


@pytest.mark.parametrize("steps", [
    [START, step(0, Type.RM, "/s", "T"), END],
    [START, step(1, Type.WRITE, "/s"), step(0, Type.RM, "/s", "T"), END],
    [START, step(1, Type.WRITE, "/s/a"), step(0, Type.RM, "/s", "T"), END],
    [START, step(1, Type.WRITE, "/s/a"), step(0, Type.WRITE, "/s/b", "T"), END],
    [START, step(1, Type.WRITE, "/s/a"), step(0, Type.RM, "/s/a", "T"),
     step(0, Type.WRITE, "/s/b", "T"), END],
])
def test_what_there_was_to_do_at_the_start_may_not_be_lost(steps):
    with Run(with_itself(EndsInPast)) as run, pytest.raises(Difference):
        for one in steps:
            run.session.take(one)


def reordering(path):
    """A Side that gives the events of a commit with this path's last."""

    class Reordering(Side):
        @staticmethod
        def _later(paths, name):
            return sorted(paths, key=lambda one: name(one) == path)

        def receive_barrier(self):
            after = super().receive_barrier()
            return [self._later(events, lambda event: event[0]) for events in after]

    return Reordering


REMOVE_AND_MAKE = [step(0, Type.RM, "/s", "T"), step(0, Type.WRITE, "/b/a", "T"),
                   step(0, Type.WRITE, "/s/a", "T")]


@pytest.mark.parametrize("made, late, explained", [
    (REMOVE_AND_MAKE, "/s/a", True),
    # These are not made again after they were removed with something above them.
    (REMOVE_AND_MAKE, "/s", False),
    (REMOVE_AND_MAKE[::-1], "/s/a", False),
    # Nobody else has changed what is looked at on the way to what is missing.
    ([step(0, Type.READ, "/s/b/c", "T"), step(0, Type.WRITE, "/b/a", "T"),
      step(0, Type.WRITE, "/s", "T")], "/s", False),
    ([step(0, Type.RM, "/s/a", "T"), step(0, Type.WRITE, "/s/a", "T"),
      step(0, Type.WRITE, "/b/a", "T")], "/s/a", False),
])
def test_the_order_of_events_is_free_only_for_nodes_made_again(made, late, explained):
    with Run(with_itself(reordering(late))) as run:
        run.session.take(step(1, Type.MKDIR, "/s/a"))
        run.session.take(step(2, Type.WATCH, strings("/", "t")))
        for one in [START] + made:
            run.session.take(one)
        if explained:
            run.session.take(END)
            assert run.rules.total() == 1
        else:
            with pytest.raises(Difference):
                run.session.take(END)


def test_only_the_past_explains_a_reply_of_the_past():
    """Others make a node; that a transaction began before does not see it is right, but not
    that it does not see what has been there all the time."""
    snapshot = [START, step(1, Type.WRITE, "/s/a"), step(0, Type.READ, "/s/a", "T")]
    older = [step(1, Type.WRITE, "/s/a")] + snapshot

    def blind(message):
        return message._replace(type=Type.ERROR, payload=b"ENOENT\0") \
            if message.type == Type.READ else message

    for steps, explained in ((snapshot, True), (older, False)):
        with Run(with_itself(falsifying(blind))) as run:
            for one in steps[:-1]:
                run.session.take(one)
            if explained:
                run.session.take(steps[-1])
                assert run.rules.total() == 1
            else:
                with pytest.raises(Difference):
                    run.session.take(steps[-1])


# -- the rules as such -------------------------------------------------------------------------


def test_rules_may_not_explain_much():
    wrong = falsifying(FALSIFICATIONS["the name of an error"])

    class AlwaysWrong(wrong):
        def judged(self, received):
            self._left = 1
            return super().judged(received)

    def lenient():
        for type_ in Type:
            yield Rule(type_, "ENOENT", "EACCES", "far too lenient", lambda case: True)

    outcome = compare(with_itself(AlwaysWrong, lenient), 2000, SEED, shrink=False)
    assert not outcome.differences, outcome.report()
    assert outcome.failed == 1, "too many explained replies must fail the test"


def test_a_rule_holds_for_its_type_and_pair_only():
    wrong = falsifying(FALSIFICATIONS["the name of an error"])

    def narrow():
        yield Rule(Type.MKDIR, "ENOENT", "EACCES", "another type", lambda case: True)
        yield Rule(Type.READ, "ENOENT", "EPERM", "another pair", lambda case: True)

    outcome = compare(with_itself(wrong, narrow), 500, SEED, shrink=False, enough=1)
    assert len(outcome.differences) == 1


def test_the_steps_to_a_difference_are_made_few():
    def only_this_value(message):
        # A defect that shows in one situation only.
        if message.type == Type.READ and message.payload == b"defect":
            return message._replace(payload=b"effect")
        return message

    setting = with_itself(type("Defective", (Side,), {
        "judged": lambda self, received: only_this_value(received)}))
    write = generate.Step(0, type=Type.WRITE, payload=strings("/a/new") + b"defect")
    read = generate.Step(1, type=Type.READ, payload=strings("/a/new"))
    generator = generate.Generator(SEED)
    noise = [next(generator) for _ in range(60)]
    noise = [step for step in noise if not step.payload.startswith(strings("/a/new"))]
    fewest, problem = minimize(setting, noise[:30] + [write] + noise[30:35] + [read])
    assert fewest == [write, read]
    assert "defect" in problem


def test_the_same_seed_gives_the_same_steps():
    first, second = generate.Generator(7), generate.Generator(7)
    other = generate.Generator(8)
    steps = [next(first) for _ in range(1000)]
    assert steps == [next(second) for _ in range(1000)]
    assert steps != [next(other) for _ in range(1000)]


def test_a_lost_daemon_is_a_difference():
    class Killing(Side):
        def send(self, step):
            if self._sent == 10:
                self.daemon.stop()
            return super().send(step)

    outcome = compare(with_itself(Killing), 100, SEED, shrink=False)
    assert len(outcome.differences) == 1
    assert "has ended" in outcome.differences[0]


def test_stores_that_differ_unseen_are_found():
    with Run(with_itself()) as run:
        run.session.compare_stores()
        run.session.ours.observer.write("/a/deep/inside", b"x")
        with pytest.raises(Difference, match="stores differ at /a"):
            run.session.compare_stores()
