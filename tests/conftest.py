# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures that the system tests share.

A test that changes what others could see takes `daemon`, a process of its own.  `shared` is
one process for a whole file, for the many small checks of arguments that leave nothing
behind.
"""

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from tests.lib.daemon import Daemon  # noqa: E402

# What a shell starts in the background ignores SIGINT, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def daemon():
    """A fresh daemon for one test."""
    with Daemon() as process:
        yield process


@pytest.fixture
def client(daemon):
    """A connection to the test's own daemon."""
    return daemon.connect()


@pytest.fixture
def other(daemon):
    """A second connection to the test's own daemon."""
    return daemon.connect()


@pytest.fixture(scope="module")
def shared():
    """One daemon for all tests of a file."""
    with Daemon() as process:
        yield process


@pytest.fixture
def sc(shared):
    """A connection to the file's daemon."""
    with shared.connect() as connection:
        yield connection
