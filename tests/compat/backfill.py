# SPDX-License-Identifier: Apache-2.0
"""What embedding an old gallery anew brings, in which order: overlap@10 of new queries with the full
re-embedding, after refreshing 0 to 100 % in the order that POST …/refresh gives, at random, and in that of
an oracle, which takes in blocks the points that gain most.

    backfill.py HEIRLOOM FOLDER SHARE [SET [SEEDS]]

Points keep their old vector when they get the new one; new queries search their own space for those that
have one and the old one for the rest (dual). Fewer steps and queries when SHARE is below 1."""
import os
import sys
import tempfile
import time

import gallery as of
import numpy as np
from gallery import Gallery, Lines, Server, Set, ids, queries_of

K = 10
NEW, OLD = "v3", "v1"


def logistic_of(tensors, name, fidelity):
    """Slope and offset of a scale at that step of the dial."""
    steps = tensors[name].reshape(-1, 2).astype("f8")
    if len(steps) == 1:
        return steps[0]
    at = fidelity * 10
    low = min(int(at + 1e-6), 9)
    return steps[low] * (1 - (at - low)) + steps[low + 1] * (at - low)


class Scores:
    """What dual serves, worked out here: queries x items in both states, on one scale."""

    def __init__(self, data, bridge, fidelity, n):
        tensors, _ = bridge
        mapped = of.files.map_queries(bridge, data.queries[NEW][:n], fidelity)
        a, b = logistic_of(tensors, "scale.old_items", fidelity)
        c, d = logistic_of(tensors, "scale.from_own", fidelity)
        self.own = data.queries[NEW][:n] @ data.items[NEW].T
        self.old = ((mapped @ data.items[OLD].T) * a + b - d) / c
        self.truth = np.zeros(self.own.shape, bool)
        np.put_along_axis(self.truth, np.argpartition(-self.own, K, 1)[:, :K], True, 1)

    def gains(self, is_new):
        """Of each point: how many more of the first ten are right, over all queries, were it new too. What
        it pushes out or lets in counts."""
        now = np.where(is_new, self.own, self.old)
        order = np.argsort(-now, 1)[:, :K + 1]
        rows = np.arange(len(now))
        last, next_ = order[:, K - 1], order[:, K]
        tenth, eleventh = now[rows, last], now[rows, next_]
        was_in, comes_in = now >= tenth[:, None], self.own > tenth[:, None]
        stays = self.own > eleventh[:, None]
        enters = ~was_in & comes_in
        leaves = was_in & ~stays
        truth = self.truth.astype("f4")
        gain = (enters * (truth - truth[rows, last][:, None])).sum(0)
        gain += (leaves * (truth[rows, next_][:, None] - truth)).sum(0)
        return np.where(is_new, -np.inf, gain)

    def oracle(self, block):
        """Greedy: the block that gains most, again and again."""
        is_new, order = np.zeros(self.own.shape[1], bool), []
        while len(order) < len(is_new):
            best = np.argsort(-self.gains(is_new), kind="stable")[:min(block, len(is_new) - len(order))]
            order += best.tolist()
            is_new[best] = True
        return np.array(order)


class Backfill:
    def __init__(self, server, folder, name, share, n_seeds):
        self.server, self.lines, self.n_seeds = server, Lines(share), n_seeds
        self.name, self.is_whole = name, share == 1
        self.data = Set(folder, name, [NEW, OLD])
        self.n_queries = 1000 if self.is_whole else 300
        self.block = self.data.n // 20 if self.is_whole else self.data.n // 5
        self.gallery = Gallery(server, "backfill", self.data)
        self.gallery.give_lessons()
        self.gallery.learn(NEW, OLD, "auto" if self.is_whole else "anchored")
        self.bridge = self.gallery.bridge(NEW, OLD)
        self.old_only()
        self.fidelity = float(self.bridge[1]["fidelity"])
        self.gallery.activate(NEW, OLD, "dual", self.fidelity)
        own = self.data.queries[NEW][:self.n_queries] @ self.data.items[NEW].T
        self.truth = np.argsort(-own, 1, kind="stable")[:, :K]

    def old_only(self):
        self.gallery.put(np.arange(self.data.n), lambda i: [OLD])

    def overlap(self):
        found = self.gallery.ask(queries_of(self.data, NEW, self.n_queries), K, None, ids)
        return np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(found, self.truth)])

    def curve(self, next_rows):
        """Overlap after each block; `next_rows` gives the next one."""
        self.old_only()
        got, n = [self.overlap()], 0
        while n < self.data.n:
            rows = np.asarray(next_rows(n, min(self.block, self.data.n - n)), int)
            assert len(rows) > 0, "nothing to refresh"
            self.gallery.add(rows, NEW)
            n += len(rows)
            got.append(self.overlap())
        return np.array(got)

    def refreshed(self, order):
        """As a caller would: asks, embeds what it is told, asks again."""
        def next_rows(n, size):
            reply = self.server.result("POST", f"{self.gallery.path}/refresh",
                                       {"to": NEW, "limit": int(size), "order": order})
            return reply["ids"]
        return self.curve(next_rows)

    def along(self, order):
        return self.curve(lambda n, size: order[n:n + size])

    def play(self):
        curves, begin = {}, time.monotonic()
        for order in ("uncertain", "coverage", "random"):
            curves[order] = self.refreshed(order)
            self.say(order, curves[order])
        curves["oracle"] = self.along(Scores(self.data, self.bridge, self.fidelity, self.n_queries).oracle(self.block))
        self.say("oracle", curves["oracle"])
        n_beaten = 0
        for seed in range(self.n_seeds):
            drawn = self.along(np.random.default_rng(seed).permutation(self.data.n))
            self.say(f"drawn with seed {seed}", drawn)
            n_beaten += self.area(curves["uncertain"]) > self.area(drawn)
        self.lines.note(f"{time.monotonic() - begin:.0f} s")
        self.lines.say(f"{self.name}: the area under the order of doubt beats that at random on {n_beaten} of "
                       f"{self.n_seeds} seeds", n_beaten == self.n_seeds)
        self.lines.say(f"{self.name}: everything refreshed is the full re-embedding in each order",
                       all(curve[-1] > .999 for curve in curves.values()))
        self.lines.say(f"{self.name}: the oracle beats every order",
                       all(self.area(curves["oracle"]) >= self.area(curve) for curve in curves.values()))

    @staticmethod
    def area(curve):
        return (curve[1:] + curve[:-1]).mean() / 2

    def say(self, order, curve):
        self.lines.note(f"{self.name}, {order}: area {self.area(curve):.4f}; " + " ".join(f"{v:.3f}" for v in curve))


def main():
    program, folder = map(os.path.abspath, sys.argv[1:3])
    share, name = float(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "fashion"
    with tempfile.TemporaryDirectory(prefix="heirloom-backfill-") as place:
        os.chdir(place)
        server = Server(program, place)
        backfill = Backfill(server, folder, name, share, int(sys.argv[5]) if len(sys.argv) > 5 else 5)
        backfill.play()
        backfill.lines.say("the server stops with status 0", server.stop() == 0)
        os.chdir("/")
    return backfill.lines.end()


if __name__ == "__main__":
    sys.exit(main())
