# SPDX-License-Identifier: GPL-2.0-or-later
"""The median of a few samples, and how far it can be trusted.

The interval is the one between two order statistics: with n independent samples the true
median lies between the k-th smallest and the k-th largest with a probability that the
binomial distribution gives exactly, whatever the samples' own distribution is.  It needs no
random numbers, and a few blocks that somebody else's job disturbed do not move it.
"""

import dataclasses
import math
import statistics

CONFIDENCE = 0.95
# Fewer samples than this cannot give 95%, even from the smallest to the largest.
FEWEST = 6


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A median with its interval; `samples` tells how many values it rests on."""

    median: float
    low: float
    high: float
    samples: int

    @property
    def sound(self):
        """Whether the interval has the confidence that it claims."""
        return self.samples >= FEWEST


def rank(samples, confidence=CONFIDENCE):
    """The k of the interval from the k-th smallest to the k-th largest; at least 1."""
    tail = 0.0
    for k in range(samples // 2 + 1):
        tail += math.comb(samples, k) * 0.5**samples
        if tail > (1 - confidence) / 2:
            return max(k, 1)
    return max(samples // 2, 1)


def estimate(values):
    """The Estimate of the median of the values (at least one)."""
    ordered = sorted(values)
    k = rank(len(ordered))
    return Estimate(statistics.median(ordered), ordered[k - 1], ordered[-k], len(ordered))


def paired_ratio(numerators, denominators):
    """The Estimate of the ratio of two programs, from {block: value} of each, or None."""
    blocks = sorted(set(numerators) & set(denominators))
    if not blocks:
        return None
    return estimate([numerators[block] / denominators[block] for block in blocks])
