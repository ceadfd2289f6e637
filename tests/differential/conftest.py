# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints what a comparison has compared and which rules it needed, also when all is well.

A comparison that passes because rules explain everything must not look like one that needed
none.
"""

import pytest

_OUTCOMES = pytest.StashKey[list]()


@pytest.fixture
def record_outcome(request):
    """A function that takes (title, Outcome) for the summary at the end."""
    outcomes = request.config.stash.setdefault(_OUTCOMES, [])
    return lambda title, outcome: outcomes.append((title, outcome))


def pytest_terminal_summary(terminalreporter, config):
    for title, outcome in config.stash.get(_OUTCOMES, []):
        terminalreporter.section("differential: " + title)
        terminalreporter.write_line(f"{outcome.compared} requests compared")
        terminalreporter.write_line(outcome.explained())
