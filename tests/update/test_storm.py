# SPDX-License-Identifier: GPL-2.0-or-later
"""The storm: 10 updates in a crowd of 60; with COUNT of 10 and more 100 updates in one of 1,100."""

import os

from tests.update.storm import Storm

COUNT = int(os.environ.get("COUNT", "1"))


def test_storm(capsys):
    storm = Storm(updates=100, guests=1000, sockets=100) if COUNT >= 10 else \
        Storm(updates=10 * COUNT, guests=40, sockets=23)
    storm.run()
    with capsys.disabled():
        print("\n" + storm.summary())
    assert not storm.failures(), storm.log
    idle = [c for c in storm.clients if c.operations == 0]
    assert not idle, "clients that have done nothing have shown nothing"
