# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol tests of tests/system, over the ring of dom0's kernel.

They are written for pytest, of which they use little: fixtures by the names of their arguments,
parametrize, and raises. That little is here, since starting pytest on an emulated machine takes
longer than the tests. A test that needs a daemon of its own as a process, or a socket, is not run.
"""

import contextlib
import importlib
import inspect
import itertools
import sys
import types

import xswire
from framework import Skip
from host import RingClient

FILES = ("test_nodes", "test_paths", "test_perms", "test_directory", "test_transactions",
         "test_watch")
# Of watches, the kernel keeps tokens, depths and doubles to itself; these are about the rest.
WATCHES = {
    "test_initial_event_for_existing_and_missing_nodes", "test_tokens_are_any_bytes",
    "test_queued_events_come_before_the_answer_to_unwatch", "test_subtree",
    "test_a_name_that_is_a_prefix_does_not_match", "test_what_raises_an_event",
    "test_failed_requests_raise_no_event", "test_removal_children_before_parents",
    "test_removal_of_a_wide_tree", "test_removal_of_a_node_without_watches_below",
    "test_registration_order", "test_registration_order_after_unwatch", "test_order_of_changes",
    "test_special_and_tree_do_not_mix",
    "test_no_event_after_the_answer_of_the_change",
}
# Tests of these files that are not for here.
NOT_HERE = {
    # They expect a store in which nobody has written yet.
    "test_initial_tree", "test_reading_creates_nothing", "test_rm_removes_the_subtree",
    "test_relative_paths_are_below_the_own_domain", "test_relative_watch", "test_special_nodes",
    "test_special_nodes_are_not_listed",
    # The kernel takes a part in these itself: transactions, watches, malformed messages.
    "test_ids_start_at_one_on_each_connection", "test_payload_of_start_is_ignored",
    "test_end_without_a_transaction", "test_many_open_transactions",
    "test_invalid_paths_in_every_request", "test_xsa_481_in_every_request",
    "test_malformed_special_names",
    # Thousands of requests, each of which costs a millisecond here.
    "test_many_nodes", "test_part_cuts_between_names_exactly", "test_part_at_the_edge_of_a_reply",
    "test_a_hundred_thousand_children", "test_large_transaction", "test_large_values_in_number",
    "test_walk_in_a_transaction_is_not_disturbed",
}
# What dom0 itself needs, and what is not to be removed between two tests.
KEPT = ("tool", "local", "libxl", "vm")


class Raised:
    value = None


@contextlib.contextmanager
def raises(expected, match=None):
    info = Raised()
    try:
        yield info
    except expected as error:
        info.value = error
        assert match is None or match in str(error), str(error)
    else:
        raise AssertionError(f"{expected} was not raised")


def parametrize(names, values, ids=None):
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)

    def mark(function):
        rows = [dict(zip(names, value if len(names) > 1 else (value,))) for value in values]
        before = getattr(function, "rows", [{}])
        function.rows = [{**a, **b} for a, b in itertools.product(before, rows)]
        return function

    return mark


def fixture(function=None, **_how):
    def mark(made):
        made.is_fixture = True
        return made

    return mark(function) if function else mark


def skip(reason):
    raise Skip(reason)


def install():
    """Makes the modules that the tests import."""
    pytest = types.ModuleType("pytest")
    pytest.mark = types.SimpleNamespace(parametrize=parametrize)
    pytest.raises = raises
    pytest.fixture = fixture
    pytest.skip = skip
    pytest.param = lambda *values, **_how: values if len(values) > 1 else values[0]
    tests = types.ModuleType("tests")
    tests.lib = types.ModuleType("tests.lib")
    tests.lib.xswire = xswire
    daemon = types.ModuleType("tests.lib.daemon")
    daemon.Daemon = None
    sys.modules.update({"pytest": pytest, "tests": tests, "tests.lib": tests.lib,
                        "tests.lib.xswire": xswire, "tests.lib.daemon": daemon})


class Fixtures:
    """Connections for one test, closed with it."""

    NAMES = ("client", "other", "sc")

    def __init__(self):
        self.clients = []

    def make(self):
        self.clients.append(RingClient())
        return self.clients[-1]

    def close(self):
        for client in self.clients:
            client.close()


def tests():
    """(name, function, its arguments' fixtures, row of parameters) of all that can be run here."""
    install()
    for file in FILES:
        module = importlib.import_module(file)
        for name, function in list(vars(module).items()):
            if not name.startswith("test_") or name in NOT_HERE or not callable(function):
                continue
            if file == "test_watch" and name not in WATCHES:
                continue
            for number, row in enumerate(getattr(function, "rows", [{}])):
                wanted = [name for name in inspect.signature(function).parameters if name not in row]
                if any(name not in Fixtures.NAMES for name in wanted):
                    continue
                title = f"{file}.{name}" + (f"[{number}]" if row else "")
                yield title, function, wanted, row


def clean(client):
    """The store as a new one, but for what dom0 needs."""
    for name in client.ls("/"):
        if name not in KEPT:
            client.rm(f"/{name}")
    if client.get_perms("/") != ["n0"]:
        client.set_perms("/", ["n0"])
    assert client.exists("/local/pool"), "a test has removed what is dom0's"


def run(function, wanted, row):
    fixtures = Fixtures()
    try:
        function(**{name: fixtures.make() for name in wanted}, **row)
    finally:
        fixtures.close()
