# SPDX-License-Identifier: Apache-2.0
"""Measures figures one after the other: rounds of all sides in turn, kept after each."""
import sys
import time

import machine
import report as shown

MUCH = .02


def run_round(figure, turns, number):
    """Every other round goes backwards, so that nobody always comes after the same one."""
    values = {}
    for turn in turns if number % 2 == 0 else reversed(turns):
        values |= turn()
    return values


def one_figure(figure, report, n_rounds, say):
    """Whatever goes wrong is this figure's alone; a person who interrupts ends them all, with what is there."""
    rounds, error, since, before = [], None, time.monotonic(), machine.times()

    def keep():
        stolen = machine.stolen_share(before, machine.times())
        if stolen > MUCH:
            figure.notes["beware"] = f"other machines took {stolen:.0%} of the processors meanwhile"
        report.keep(figure.name, shown.measured(figure, rounds, error, time.monotonic() - since))
    try:
        if figure.missing:
            raise RuntimeError(f"it cannot be built: {figure.missing}")
        figure.prepare()
        for number in range(n_rounds):
            rounds.append(run_round(figure, figure.turns(), number))
            say(f"{figure.name}: round {number + 1} of {n_rounds}")
            keep()
    except KeyboardInterrupt:
        error = "interrupted"
        raise
    except (Exception, SystemExit) as fault:  # pylint: disable=broad-except
        error = f"{type(fault).__name__}: {fault}"
    finally:
        keep()
        try:
            figure.done()
        except (Exception, SystemExit) as fault:  # pylint: disable=broad-except
            print(f"    {figure.name} did not end well: {fault}", file=sys.stderr)


def all_figures(figures, report, n_rounds, say, show):
    """Whether they were measured to the end, well or not."""
    for figure in figures:
        try:
            one_figure(figure, report, n_rounds, say)
        except KeyboardInterrupt:
            show(figure.name)
            return False
        show(figure.name)
    return True
