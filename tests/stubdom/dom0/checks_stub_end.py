# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left when all guests are gone."""

from framework import check, equal
from host import command


@check("no guest has left anything behind in the store, which is in order")
def clean(host):
    own = ["1"] if host.domid else []
    equal(sorted(host.client.ls("/local/domain")), ["0"] + own)
    command("xenstore-control", "check")
