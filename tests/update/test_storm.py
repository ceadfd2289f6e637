# SPDX-License-Identifier: GPL-2.0-or-later
"""The storm, short; with COUNT as many times as many updates."""

import os

from tests.update.storm import Storm

COUNT = int(os.environ.get("COUNT", "1"))


def test_storm(capsys):
    storm = Storm(updates=10 * COUNT, guests=8, sockets=23)
    storm.run()
    with capsys.disabled():
        print("\n" + storm.summary())
    assert not storm.failures()
    idle = [c for c in storm.clients if c.operations == 0]
    assert not idle, "clients that have done nothing have shown nothing"
