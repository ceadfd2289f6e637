# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left when all guests are gone."""

from framework import check, equal
from host import command


@check("no guest has left anything behind in the store")
def clean(host):
    equal(host.client.ls("/local/domain"), ["0"])
    equal([line.split()[0] for line in command("xl", "list").output.splitlines()[1:]], ["Domain-0"])


@check("xenstored itself finds its store and accounts in order", ours=True)
def consistent(_host):
    command("xenstore-control", "check")


@check("xenstored holds no ring and no file for guests that are gone")
def no_leaks(host):
    equal(host.mapped_rings(), 0, "mapped rings")
    equal(host.open_files(), host.files_at_start, "open files")
    assert host.memory_kb() < 64 * 1024, host.memory_kb()


@check("the daemon has logged no error", ours=True)
def log(host):
    bad = [line for line in host.log.lines if "error" in line.lower() or "assert" in line.lower()]
    equal(bad, [])
