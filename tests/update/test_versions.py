# SPDX-License-Identifier: GPL-2.0-or-later
"""Updates between versions of ours: a program with a record of each class that ours does not know."""

import os
import pathlib

import pytest

from tests.lib.daemon import binary
from tests.update.live import Live, exec_time
from tests.update.test_faults import Work

OTHER = str(pathlib.Path(binary()).parent / "tests" / "xenstored-other")


def start(program, extra=""):
    env = {"XENSTORED_TEST_EXTRA": extra, "XENSTORED_BINARY": program}
    old = os.environ.get("XENSTORED_BINARY")
    os.environ["XENSTORED_BINARY"] = program
    try:
        return Live(env=env)
    finally:
        if old is None:
            del os.environ["XENSTORED_BINARY"]
        else:
            os.environ["XENSTORED_BINARY"] = old


def program_of(daemon):
    return os.readlink(f"/proc/{daemon.current()}/exe")


def test_from_ours_to_another_and_on():
    """It declares more than ours; everything crosses, transactions too."""
    with start(binary()) as daemon:
        work = Work(daemon)
        daemon.updated(file=OTHER)
        assert program_of(daemon) == OTHER
        work.check()
        daemon.updated(file=OTHER)
        work.check()
        work.finish()
        assert daemon.stderr().count("extra: may=0 must=0") >= 2


def test_what_the_other_knows_crosses_between_its_kind():
    with start(OTHER, "may=5 must=7") as daemon:
        work = Work(daemon)
        for number in (1, 2, 3):
            daemon.updated(file=OTHER)
            assert f"extra: may={5 + number} must={7 + number}" in daemon.stderr()
            work.check()
        work.finish()


def test_what_may_be_skipped_is_skipped():
    with start(OTHER, "may=5") as daemon:
        work = Work(daemon)
        daemon.updated(file=binary())
        assert program_of(daemon) == binary()
        assert "unknown state record 58530384" in daemon.stderr()
        work.check()
        work.finish()


@pytest.mark.parametrize("options", [(), ("-F",)])
def test_what_must_be_understood_is_not_given_to_who_does_not(options):
    """Ours does not declare it: refused, and the other goes on with it."""
    with start(OTHER, "may=5 must=7") as daemon:
        work = Work(daemon)
        before = exec_time(daemon.pid)
        assert "not understand a part" in daemon.update(file=binary(), options=options)
        assert "does not understand EXTRA_MUST" in daemon.stderr()
        assert exec_time(daemon.pid) == before
        work.check()
        daemon.updated(file=OTHER)
        assert "extra: may=6 must=8" in daemon.stderr()
        work.check()
        work.finish()
