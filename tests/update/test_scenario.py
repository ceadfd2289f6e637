# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether and where the daemon is updated makes no difference to its clients."""

import os
import random
import re

import pytest

from tests.update.live import DEADLINE, Live, tree
from tests.update.scenario import CLIENTS, Player, generate, prepare

COUNT = int(os.environ.get("COUNT", "1"))
LENGTH = 120


def holdings(client):
    """What domain 0 holds, without the largest values seen, which begin anew."""
    return re.sub(r" *\(max.*?\)", "", client.control("quota", "0"))


def play(seed, updates):
    with Live() as daemon:
        clients = [daemon.connect(DEADLINE) for _ in range(CLIENTS)]
        prepare(clients[0])
        player = Player(daemon, clients)
        for number, one in enumerate(generate(seed, LENGTH)):
            if number in updates:
                daemon.updated()
            player.play(one)
        check = clients[0].control("check")
        return player.transcript, tree(clients[0]), check, holdings(clients[0])


@pytest.mark.parametrize("seed", range(8 * COUNT))
def test_transcripts_are_equal(seed):
    rng = random.Random(-seed)
    plain = play(seed, ())
    assert len(plain[0]) > LENGTH / 2
    updates = set(rng.sample(range(1, LENGTH), 6))
    updated = play(seed, updates)
    for without, with_updates in zip(plain[0], updated[0]):
        assert with_updates == without, sorted(updates)
    assert updated[0] == plain[0]
    assert updated[1:] == plain[1:]
