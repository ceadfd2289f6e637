# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the checks of tests/xen say something about a xenstored that is a domain.

Those that need its process, its socket or its files are left out, and of the others as many as
there is time for.
"""

CHOSEN = {
    "checks_start": ("init_dom0", "console_daemon"),
    "checks_store": (
        "dom0_introduced", "test_xenstore", "clients", "order", "large_values",
        "transaction", "conflict", "abandoned", "ring_watch", "crowd",
    ),
    "checks_guests": (
        "create", "own_part", "pings", "shutdown", "crash", "destroy", "checkpoint", "restore",
        "several", "refusals", "watch_release",
    ),
    "checks_reuse": ("reuse", "slept", "replaced_by_other", "replaced_by_twin"),
    "checks_hostile": (
        "features", "fragments", "wrap", "oversize", "producer", "consumer", "not_reading",
        "cut_off_and_gone", "end",
    ),
}


def is_chosen(entry):
    """entry: as in framework.CHECKS."""
    function = entry[-1]
    module = function.__module__
    return module.startswith("checks_stub_") or function.__name__ in CHOSEN.get(module, ())
