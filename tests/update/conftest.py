# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: a daemon that can be updated, and connections to it."""

import pytest

from tests.update.live import DEADLINE, Live


@pytest.fixture
def daemon():
    with Live() as process:
        yield process


@pytest.fixture
def client(daemon):
    return daemon.connect(DEADLINE)


@pytest.fixture
def other(daemon):
    return daemon.connect(DEADLINE)
