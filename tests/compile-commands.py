#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes compile_commands.json for editors and analysers: OUTPUT COMMAND SOURCE..."""

import json
import os
import sys

output, command, *sources = sys.argv[1:]
entries = [{"directory": os.getcwd(), "file": source, "command": f"{command} -c {source}"}
           for source in sources]
with open(output, "w", encoding="utf-8") as out:
    json.dump(entries, out, indent=1)
