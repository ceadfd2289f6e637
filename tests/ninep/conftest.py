# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: a host for each test."""

import pytest

from tests.ninep.files import Site


@pytest.fixture
def site():
    running = Site()
    yield running
    running.close()
