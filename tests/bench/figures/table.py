# SPDX-License-Identifier: Apache-2.0
"""Which figures there are, in the order that they are measured: what shares a graph or a gallery together."""
import inside
import rig as of
import served


def figures(rig):
    options = rig.options
    small = options.quick
    return [
        inside.Walk(rig, "walk-60k", 6000 if small else 60000, inside.PIXELS, (4.5, 2.0)),
        inside.Exact(rig),
        inside.Build(rig),
        inside.Walk(rig, "walk-200k", options.n_rows, of.OLD_DIM, (4.0, 1.6)),
        served.AgainstFaiss(rig),
        served.AgainstLoop(rig),
        inside.Cores(rig),
        served.Bridged(rig),
        served.Writers(rig),
        served.Latency(rig),
        large(inside.Walk(rig, "walk-1m", 30000 if small else 1000000, 128, (3.5, 1.5))),
        large(served.Restart(rig, 30000 if small else 1000000, 128)),
    ]


def large(figure):
    figure.is_large = True
    return figure
