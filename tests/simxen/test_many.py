# SPDX-License-Identifier: GPL-2.0-or-later
"""As many domains as there can be, all with their rings mapped and bound by one process."""

DOMAINS = 0x7FF0  # with domain 0


def test_all_domains_there_can_be(host):
    created = host.run("create", "--bare", "--count", DOMAINS - 1).stdout.split()
    assert [int(domid) for domid in created] == list(range(1, DOMAINS))
    full = host.run("create", check=False)
    assert full.returncode == 1 and "Cannot allocate memory" in full.stderr
    output = host.python(f"""
g, e = Gnttab(), Evtchn()
assert all(g.map(domid) > 0 for domid in range(1, {DOMAINS}))
ports = set(e.bind_interdomain(domid, 1) for domid in range(1, {DOMAINS}))
assert min(ports) > 0
seen = set()
while len(seen) < len(ports):
    seen.add(e.pending())
print(len(ports), seen == ports)
""").stdout
    assert output == f"{DOMAINS - 1} True\n"
    assert len(host.domains()) == DOMAINS
    host.run("destroy", "--bare", 20000)
    assert host.create("--bare", 20000) == 20000
