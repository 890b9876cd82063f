# SPDX-License-Identifier: Apache-2.0
"""What queries find in galleries that two or three models have seen, over HTTP, on real embeddings.

    mixed.py HEIRLOOM FOLDER SHARE [PART …]

FOLDER holds fashion/ and glyphs/, as tests/data/models has them in small. SHARE is how much of each mark
is asked: 1 of the whole sets, less of the small ones (tests/compat/marks.c). A PART is the beginning of
the name of one of PARTS; without any, all of the set are played. The share f of a gallery has only a
vector of the new model, the rest only one of the old model."""
import os
import sys
import tempfile
import time

import gallery as of
import numpy as np
from gallery import Gallery, Lines, Server, Set, Worth, ids, queries_of, raw_hits, shown_hits

SEED = int(os.environ.get("MIXED_SEED", "1"))  # of which points are whose


class Play:
    def __init__(self, server, folder, share):
        self.server, self.folder, self.lines = server, folder, Lines(share)
        self.is_whole = share == 1
        self.n_ranked = int(os.environ.get("MIXED_RANKED", "2500" if self.is_whole else "300"))
        self.n_compared = 500 if self.is_whole else 100  # hit by hit, score by score
        self.kind = "auto" if self.is_whole else "anchored"
        self.shares = (0, .1, .25, .5, .75, 1) if self.is_whole else (0, .5, 1)

    def set(self, name, *models):
        return Set(self.folder, name, models)

    def gallery(self, name, data):
        return Gallery(self.server, name, data)

    def worth(self, gallery, model, how=None):
        data, asked = gallery.data, queries_of(gallery.data, model)
        ranked = gallery.ask(asked[:self.n_ranked], data.n, how, ids)
        rest = gallery.ask(asked[self.n_ranked:], 1, how, ids)
        worth = Worth([row[:1] for row in ranked] + rest, ranked, data)
        if not worth.is_whole:
            self.lines.say(f"{gallery.path} queries of {model} find every point once", False)
        return worth

    def single(self, data, model):
        """One space, worked out here."""
        return of.of_scores(data.queries[model] @ data.items[model].T, data, self.n_ranked)

    def plain(self, name, data, model):
        """A collection in which all points have that model's vector, and no bridge is."""
        plain = self.gallery(name, data)
        plain.put(np.arange(data.n), lambda i: [model])
        return plain

    def hits(self, gallery, model, keep, how=None):
        how = dict(how or {}, **({"explain": True} if keep is raw_hits else {}))
        return gallery.ask(queries_of(gallery.data, model, self.n_compared), gallery.data.n, how, keep)


# ---- a gallery between two models ----

class Between:
    """One pair of models, and what its galleries are compared with."""

    def __init__(self, play, name, new, old, marks):
        self.play, self.new, self.old, self.marks = play, new, old, marks
        self.name = f"{name} {new} > {old}"
        self.data = play.set(name, new, old)
        self.gallery = play.gallery(f"{name}-{new}-{old}", self.data)
        self.gallery.give_lessons()
        begin = time.monotonic()
        self.gallery.learn(new, old, play.kind)
        self.gallery.learn(old, new, "anchored")
        self.old_old, self.new_new = play.single(self.data, old), play.single(self.data, new)
        play.lines.note(f"{self.name}: top1 mAP of old/old {self.old_old}, of new/new, which is a full "
                        f"re-embedding, {self.new_new}; both bridges learnt in {time.monotonic() - begin:.0f} s")
        self.plains = {m: play.plain(f"{name}-{new}-{old}-plain-{m}", self.data, m) for m in (new, old)}
        self.threshold = self.tune()

    def tune(self):
        """The lowest score at which so much of what old queries find in the old gallery is right."""
        rows = self.play.n_ranked
        found = (self.data.queries[self.old][:rows] @ self.data.items[self.old].T).ravel()
        same = (self.data.query_labels[:rows, None] == self.data.labels[None]).ravel()
        order = np.argsort(-found, kind="stable")
        right = np.cumsum(same[order]) / np.arange(1, len(order) + 1)
        return float(found[order[np.flatnonzero(right >= self.marks["precision"])[-1]]])

    def fill(self, f, by_class):
        chosen = self.data.share(f, SEED, by_class)
        self.gallery.put(np.arange(self.data.n), lambda i: [self.new if chosen[i] else self.old])
        return chosen

    def activate(self, strategy, fidelity="auto"):
        pair = (self.old, self.new) if strategy == "forward" else (self.new, self.old)
        if strategy == "forward":
            self.gallery.deactivate()
        return self.gallery.activate(*pair, strategy, fidelity)

    # ---- what is asked of each gallery ----

    def strategies(self, f, what, by_class):
        """Where whole classes are new, auto is for what is found at once: dual may rank more of them and find
        far less (compat/README.md)."""
        play, lines = self.play, self.play.lines
        self.activate("backward")
        got = {"backward": play.worth(self.gallery, self.new)}
        old = play.worth(self.gallery, self.old)
        self.activate("dual")
        got["dual"] = play.worth(self.gallery, self.new)
        chosen = self.activate("auto")
        got["auto"] = play.worth(self.gallery, self.new)
        worth = (lambda w: w.top1) if by_class else (lambda w: w.map)
        best = max(worth(got["backward"]), worth(got["dual"]))
        lines.note(f"{what}: {self.new} queries " + ", ".join(f"{k} {v}" for k, v in got.items()) +
                   f"; {self.old} queries {old}; auto is {chosen}")
        lines.least(f"{what}: {'top1' if by_class else 'mAP'} of auto above the best strategy's",
                    worth(got["auto"]) - best, -.01)
        if f == .5:
            self.half(what, got["auto"], old)
        if f == 1:
            lines.least(f"{what}: top1 of {self.old} queries over old/old", old.top1 - self.old_old.top1, -.015)
        return got

    def half(self, what, new, old):
        play, lines, marks = self.play, self.play.lines, self.marks
        lines.least(f"{what}: top1 of {self.new} queries over old/old", new.top1 - self.old_old.top1, marks["top1"])
        lines.least(f"{what}: mAP of {self.new} queries over old/old", new.map - self.old_old.map, marks["map"])
        judged = play.worth(self.gallery, self.new, {"fidelity": 0})
        self.activate("auto", 0)
        activated = play.worth(self.gallery, self.new)
        lines.least(f"{what}: mAP of {self.new} queries over old/old, fidelity 0 (top1 "
                    f"{judged.top1 - self.old_old.top1:+.4f})", judged.map - self.old_old.map, marks["judged"])
        lines.say(f"{what}: a query's fidelity is what an activation's would be",
                  abs(judged.map - activated.map) < 1e-4 and abs(judged.top1 - activated.top1) < 1e-3)
        lines.least(f"{what}: top1 of {self.old} queries over old/old", old.top1 - self.old_old.top1, -.01)
        self.activate("auto")

    def forward(self, f, what):
        """Queries of the new model stay in their own space."""
        self.activate("forward")
        new, old = (self.play.worth(self.gallery, m) for m in (self.new, self.old))
        self.play.lines.note(f"{what}: forward {self.new} queries {new}; {self.old} queries {old}")
        if f == 1:
            self.play.lines.say(f"{what}: forward answers {self.new} queries as the single space does, bit for bit",
                                self.is_single(self.new))
        self.gallery.deactivate()

    def is_single(self, model):
        play = self.play
        there = play.hits(self.plains[model], model, shown_hits)
        return play.hits(self.gallery, model, raw_hits) == there

    def ends(self, f, what):
        """All points of one model: that model's queries are answered as if there were no other."""
        whose, lines = (self.old, self.play.lines) if f == 0 else (self.new, self.play.lines)
        mapped = {}
        for strategy in ("backward", "dual"):
            self.activate(strategy)
            lines.say(f"{what}: {strategy} answers {whose} queries as the single space does, bit for bit",
                      self.is_single(whose))
            mapped[strategy] = self.play.hits(self.gallery, self.new, raw_hits)
        if f == 0:
            lines.say(f"{what}: with no own vector dual is backward, bit for bit", mapped["dual"] == mapped["backward"])
            self.as_numpy_maps(what, mapped["backward"])

    def as_numpy_maps(self, what, mapped):
        tensors = self.gallery.bridge(self.new, self.old)
        rows = of.files.map_queries(tensors, self.data.queries[self.new][:len(mapped)])
        wanted = rows @ self.data.items[self.old].T
        off = max(abs(raw - wanted[q, i]) for q, row in enumerate(mapped) for i, raw in row)
        self.play.lines.most(f"{what}: raw scores of {self.new} queries off those worked out in numpy", off, .01)

    def thresholds(self, what):
        """Precision of what is found above the score that was tuned on old queries."""
        play, got = self.play, {}
        for scale in (self.old, None):
            how = {"score_threshold": self.threshold, **({"score_scale": scale} if scale else {})}
            found = self.gallery.ask(queries_of(self.data, self.new, play.n_ranked), self.data.n, how, ids)
            right = sum((self.data.labels[row] == label).sum() for row, label in zip(found, self.data.query_labels))
            n = sum(len(row) for row in found)
            got[scale] = (right / max(n, 1), n)
        play.lines.note(f"{what}: above {self.threshold:.3f} without a scale {got[None][0]:.4f} of {got[None][1]} are "
                        f"right, on that of {self.old} {got[self.old][0]:.4f} of {got[self.old][1]}")
        play.lines.most(f"{what}: precision of {self.new} queries at the threshold of {self.old}, off "
                        f"{self.marks['precision']}", abs(got[self.old][0] - self.marks["precision"]), self.marks["off"])

    def both(self, what):
        """Both vectors sent: right answers at once that v1 alone had and are lost."""
        play, data = self.play, self.data
        asked = {m: queries_of(data, m) for m in (self.new, self.old)}
        sent = [{"query": {"vectors": {self.new: a["query"], self.old: b["query"]}}, "using": self.new}
                for a, b in zip(asked[self.new], asked[self.old])]
        right = {name: of.first_is_right(self.gallery.ask(queries, 1, None, ids), data.query_labels, data.labels)
                 for name, queries in (("old", asked[self.old]), ("new", asked[self.new]), ("both", sent))}
        flips = {name: (right["old"] & ~right[name]).mean() for name in ("new", "both")}
        play.lines.note(f"{what}: top1 and negative flips against {self.old} alone: without interpolation "
                        f"{right['new'].mean():.4f} {flips['new']:.4f}, with {right['both'].mean():.4f} "
                        f"{flips['both']:.4f}")
        play.lines.most(f"{what}: negative flips with both vectors, over those without", flips["both"] - flips["new"], 0)
        play.lines.least(f"{what}: top1 with both vectors, over that without",
                         right["both"].mean() - right["new"].mean(), -.005)

    def change_while_active(self):
        """Images that writes keep right are those that an activation makes."""
        self.gallery.deactivate()
        before = self.fill(.25, False)
        self.activate("auto")
        after = self.data.share(.75, SEED, False)
        moved = np.flatnonzero(before != after)
        self.gallery.put(moved, lambda i: [self.new if after[i] else self.old])
        written = [self.play.hits(self.gallery, m, raw_hits) for m in (self.new, self.old)]
        self.gallery.deactivate()
        self.activate("auto")
        again = [self.play.hits(self.gallery, m, raw_hits) for m in (self.new, self.old)]
        self.play.lines.say(f"{self.name}: {len(moved)} points that changed models while a bridge was active are "
                            "found as if it had been activated afterwards", written == again)

    def play_all(self):
        for f in self.play.shares:
            for by_class in (False, True) if 0 < f < 1 else (False,):
                what = f"{self.name}, f {f}{' by class' if by_class else ''}"
                self.gallery.deactivate()
                self.fill(f, by_class)
                if f in (0, 1):
                    self.ends(f, what)
                self.strategies(f, what, by_class)
                if not by_class:
                    self.thresholds(what)
                if f in (0, .5) and not by_class:
                    self.both(what)
                self.forward(f, what)
        self.change_while_active()


def between(name, old, **marks):
    return lambda play: Between(play, name, "v3", old, marks).play_all()


# ---- three models ----

def chain(name, **marks):
    def run(play):
        data = play.set(name, "v3", "v2", "v1")
        gallery = play.gallery(f"{name}-chain", data)
        gallery.give_lessons()
        seen = np.random.default_rng(SEED).integers(0, 3, data.n)
        gallery.put(np.arange(data.n), lambda i: [("v1", "v2", "v3")[seen[i]]])
        for pair in (("v3", "v2"), ("v2", "v1")):
            gallery.learn(*pair, "anchored")
            gallery.activate(*pair, "backward")
        old = play.single(data, "v1")
        got = {m: play.worth(gallery, m) for m in data.models}
        what = f"{name} v3 > v2 > v1, a third of each"
        play.lines.note(f"{what}: queries of " + ", ".join(f"{m} {w}" for m, w in got.items()) +
                        f"; v1/v1 {old}, v2/v2 {play.single(data, 'v2')}, v3/v3 {play.single(data, 'v3')}")
        for model, part in (("v3", 1), ("v2", .5)):  # v2 is half as much better than v1
            play.lines.least(f"{what}: top1 of {model} queries over v1/v1", got[model].top1 - old.top1,
                             part * marks["top1"])
            play.lines.least(f"{what}: mAP of {model} queries over v1/v1", got[model].map - old.map,
                             part * marks["map"])
        play.lines.least(f"{what}: top1 of v1 queries over v1/v1", got["v1"].top1 - old.top1, -.015)
        hit = gallery.ask(queries_of(data, "v3", 1), 1, {"explain": True})[0]["explain"]["plan"]
        play.lines.note(f"{what}: {hit}")
    return run


# ---- a small model's queries in a large one's gallery ----

def small(name):
    def run(play):
        data = play.set(name, "v3", "v1")
        gallery = play.plain(f"{name}-large", data, "v3")
        large = play.hits(gallery, "v3", shown_hits)
        gallery.give_lessons()
        gallery.learn("v1", "v3", "anchored")
        gallery.activate("v1", "v3", "auto")
        own, got = play.single(data, "v1"), play.worth(gallery, "v1")
        judged = play.worth(gallery, "v1", {"fidelity": 0})
        what = f"{name}: v1 queries, a gallery of v3 alone"
        play.lines.note(f"{what}: {got}, at fidelity 0 {judged}; v1/v1 {own}, v3/v3 {play.single(data, 'v3')}")
        play.lines.least(f"{what}: top1 over v1/v1", got.top1 - own.top1, 0)
        play.lines.least(f"{what}: mAP over v1/v1", got.map - own.map, 0)
        play.lines.say(f"{what}: v3 queries are answered as before, bit for bit",
                       play.hits(gallery, "v3", raw_hits) == large)
    return run


# Of 450 classes one pair in 450 is the same: the two logistics agree on the middle, and not on the few scores
# above a threshold that a hundredth of them pass.
PARTS = {
    "fashion v1": between("fashion", "v1", top1=.035, map=.08, judged=.10, precision=.9, off=.03),
    "fashion chain": chain("fashion", top1=.02, map=.05),
    "fashion small": small("fashion"),
    "fashion half": between("fashion", "v1c", top1=.04, map=.08, judged=.11, precision=.9, off=.03),
    "glyphs v1": between("glyphs", "v1", top1=.10, map=.09, judged=.10, precision=.5, off=.2),
    "glyphs chain": chain("glyphs", top1=.06, map=.05),
    "glyphs small": small("glyphs"),
    "glyphs half": between("glyphs", "v1c", top1=.10, map=.08, judged=.10, precision=.5, off=.2),
}


def main():
    program, folder = map(os.path.abspath, sys.argv[1:3])
    with tempfile.TemporaryDirectory(prefix="heirloom-mixed-") as place:
        os.chdir(place)
        server = Server(program, place)
        play = Play(server, folder, float(sys.argv[3]))
        for name, part in PARTS.items():
            if not sys.argv[4:] or any(name.startswith(wanted) for wanted in sys.argv[4:]):
                begin = time.monotonic()
                part(play)
                play.lines.note(f"{name}: {time.monotonic() - begin:.0f} s")
        play.lines.say("the server stops with status 0", server.stop() == 0)
        os.chdir("/")
    return play.lines.end()


if __name__ == "__main__":
    sys.exit(main())
