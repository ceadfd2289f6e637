# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns samples into the rows of the table, and says which targets are met.

A target is met when the bad end of the 95% interval meets it.
"""

import dataclasses
import statistics

from tests.bench import interval, programs


@dataclasses.dataclass
class Row:
    check: object
    cells: dict
    result: object = None  # interval.Estimate
    met: object = None  # True, False, or None when it could not be measured
    note: str = ""


def _number(value):
    if value >= 10000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _values(check, samples, program, variant):
    if check.prefer:
        preferred = samples.get(check.run, program, variant, check.prefer)
        if preferred:
            return preferred
    return samples.get(check.run, program, variant, check.metric)


def _summary(check, values):
    """One number for the cell of one variant."""
    if check.kind == "zero":
        return sum(values)
    if check.kind == "best":
        return min(values)
    return statistics.median(values)


def _cell(check, samples, program, absent):
    if program in absent:
        return "not installed"
    if (check.run, program) in samples.missing:
        return "failed"
    variants = check.variants or samples.variants(check.run, program)
    found = [_values(check, samples, program, variant) for variant in variants]
    if not found or not all(found):
        return "-"
    text = " : ".join(_number(_summary(check, values.values())) for values in found)
    if check.unit:
        text += f" {check.unit}"
    scale = samples.scales.get((check.run, program))
    return f"{text} (at {scale:,})" if scale else text


def _only_variant(check, samples, program):
    variants = samples.variants(check.run, program)
    return _values(check, samples, program, variants[0]) if variants else {}


def _best_peer(check, samples):
    """The values of the peer with the lowest median, with its name."""
    found = {}
    for name in programs.PEERS:
        values = _only_variant(check, samples, name)
        if values:
            found[name] = values
    if not found:
        return None, {}
    best = min(found, key=lambda name: statistics.median(found[name].values()))
    return best, found[best]


def _estimate(check, samples):
    """(Estimate or None, note)."""
    ours = _only_variant(check, samples, programs.OURS)
    if check.kind == "floor":
        return interval.paired_ratio(ours, _only_variant(check, samples, programs.FLOOR)), ""
    if check.kind == "peer":
        best, values = _best_peer(check, samples)
        return (interval.paired_ratio(ours, values), best) if best else (None, "no peer")
    if check.kind == "variants":
        above, below = (
            _values(check, samples, programs.OURS, variant) for variant in check.variants
        )
        return interval.paired_ratio(above, below), ""
    if not ours:
        return None, ""
    if check.kind == "value":
        return interval.estimate(ours.values()), ""
    value = _summary(check, ours.values())
    note = f"best of {len(ours)} views" if check.kind == "best" else f"in {len(ours)} blocks"
    if check.prefer and samples.get(
        check.run, programs.OURS, samples.variants(check.run, programs.OURS)[0], check.prefer
    ):
        note = "the daemon's own report"
    return interval.Estimate(value, value, value, len(ours)), note


def rows(checks, samples, absent):
    """The finished table; `absent` maps programs that cannot be run to reasons."""
    result = []
    for check in checks:
        row = Row(check, {name: _cell(check, samples, name, absent) for name in programs.ALL})
        row.result, row.note = _estimate(check, samples)
        if row.result:
            low, high = row.result.low, row.result.high
            row.met = low >= check.limit if check.at_least else high <= check.limit
            if not row.result.sound and check.kind in ("floor", "peer", "variants", "value"):
                row.note = (row.note + " " if row.note else "") + "(too few blocks for 95%)"
        result.append(row)
    return result


def _result(row):
    if row.result is None:
        return "-"
    e = row.result
    if row.check.kind in ("zero", "best"):
        return f"{_number(e.median)}"
    return f"{_number(e.median)} [{_number(e.low)}, {_number(e.high)}]"


def table(finished):
    """The table as text."""
    head = ["scenario", *programs.ALL, "ratio [95%]", "target", "met"]
    lines = [head]
    for row in finished:
        met = "-" if row.met is None else "yes" if row.met else "NO"
        lines.append(
            [row.check.title]
            + [row.cells[name] for name in programs.ALL]
            + [_result(row), row.check.target, f"{met} {row.note}".strip()]
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)] + [0]
    return "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
        for line in lines
    )


def plain(finished):
    """The same for JSON."""
    return [
        {
            "scenario": row.check.title,
            "metric": row.check.metric,
            "unit": row.check.unit,
            "kind": row.check.kind,
            "cells": row.cells,
            "result": dataclasses.asdict(row.result) if row.result else None,
            "target": row.check.target,
            "met": row.met,
            "note": row.note,
        }
        for row in finished
    ]
