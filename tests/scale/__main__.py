# SPDX-License-Identifier: GPL-2.0-or-later
"""Fills a simulated host with domains and prints what it costs the daemon.

    python3 -m tests.scale [--domains N]
"""

import argparse
import sys

from tests.bench import programs
from tests.scale import run


def main():
    parser = argparse.ArgumentParser(prog="tests.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--domains", type=int, default=run.MOST, help="default: all there can be")
    parser.add_argument("--program", choices=(programs.OURS,) + programs.PEERS,
                        default=programs.OURS)
    options = parser.parse_args()
    if not 2 <= options.domains <= run.MOST:
        parser.error(f"there can be 2 to {run.MOST} domains")
    try:
        print(run.run(options.domains, options.program).table())
    except run.Failed as failure:
        sys.exit(f"scale: {failure}")


if __name__ == "__main__":
    main()
