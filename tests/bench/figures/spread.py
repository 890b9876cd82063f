# SPDX-License-Identifier: Apache-2.0
"""Numbers of rounds: their middle, their spread, and what two sets of them say of each other."""


def quantile(values, share):
    """Between neighbours by the straight line."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def of(values):
    return {"median": quantile(values, .5), "q1": quantile(values, .25), "q3": quantile(values, .75),
            "min": min(values), "max": max(values)}


def is_apart(old, new):
    """Whether the middle halves have nothing in common: a change that chance does not explain."""
    return new["q1"] > old["q3"] or new["q3"] < old["q1"]


def nice_step(span, most):
    """The smallest of 1, 2, 5, 10 … that divides `span` into at most `most` steps."""
    power = 1e-12
    while True:
        for digit in (1, 2, 5):
            if span / (digit * power) <= most:
                return digit * power
        power *= 10


def text(value):
    """Three figures that count, no more."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= .1 else f"{value:.4f}"
