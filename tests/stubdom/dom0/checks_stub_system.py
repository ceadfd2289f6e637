# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol tests of tests/system as checks: one for each file's tests, through dom0's ring."""

import system
from framework import CHECKS, Skip, check
from host import Refused


def register():
    for title, function, wanted, row in system.tests():
        make(title, function, wanted, row)


def make(title, function, wanted, row):
    def run(host):
        try:
            system.run(function, wanted, row)
        except Refused as error:
            raise Skip(str(error)) from error
        finally:
            system.clean(host.client)

    run.__module__ = __name__
    run.quiet = True
    check(f"protocol: {title}", deadline=60)(run)


register()
assert CHECKS
