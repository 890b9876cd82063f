# SPDX-License-Identifier: Apache-2.0
"""What the gate and the guard of a rollout do with good and with poisoned models, on real embeddings, over HTTP.

    guard.py HEIRLOOM GUARDED FOLDER SHARE

A gallery of v1, a bridge from v3 to v1, and callers that send both vectors and say which points were relevant:
those of the photograph's label. A new model is poisoned when its deployment answers with the vector of another
photograph in one case of ten (`mixed up`), or with its numbers in another order (`permuted`): the bridge was
measured with what the model should have said. Every second caller is served by the new model.

Of the whole set (SHARE 1) ten healthy rollouts are played through, else one; a hundred more are drawn from what
each query was measured to do, by the code that the server runs (guarded.c)."""
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from gallery import Gallery, Lines, Server, Set, ids, text_of

OLD, NEW = "v1", "v3"
BUDGETS = {True: (.005, .01, .02, .05), False: (.01,)}  # of the whole set, of the small one
EVERY = 10    # queries between two looks at the stage; of a drawn one, twice as many
MIXED_UP = .1
MOST = {True: 3000, False: 400}  # queries of a canary stage; of a drawn poisoned one, four times as many


class Play:
    def __init__(self, server, guarded, folder, share):
        self.server, self.guarded, self.folder, self.lines = server, guarded, folder, Lines()
        self.is_whole = share == 1
        self.data = Set(folder, "fashion", (OLD, NEW))
        self.n = len(self.data.query_labels)
        self.relevant = {label: np.flatnonzero(self.data.labels == label).tolist()
                         for label in np.unique(self.data.query_labels)}
        self.gallery = Gallery(server, "guard", self.data)
        self.path = self.gallery.path
        self.n_asked = 0

    # ---- the models ----

    def vectors(self, how, seed):
        """What the new model's deployment says of each query."""
        rows, random = self.data.queries[NEW].copy(), np.random.default_rng(seed)
        if how == "permuted":
            return rows[:, random.permutation(rows.shape[1])]
        if how == "mixed up":
            wrong = random.choice(self.n, round(MIXED_UP * self.n), replace=False)
            rows[wrong] = rows[np.roll(wrong, 1)]
        return rows

    def prepare(self):
        gallery = self.gallery
        gallery.give_lessons()
        gallery.put(np.arange(self.data.n), lambda i: [OLD])
        gallery.learn(NEW, OLD, "auto" if self.is_whole else "anchored")
        gallery.activate(NEW, OLD, "backward")
        self.found_by_old = self.found(OLD, self.data.queries[OLD])
        self.usual = self.outcomes(self.found(NEW, self.data.queries[NEW]))

    # ---- off line: what each query does ----

    def found(self, model, rows):
        how = {"exact": False}
        return self.gallery.ask([{"query": text_of(row), "using": model} for row in rows], 10, how, ids)

    def outcomes(self, new):
        """Negative flip, and how many of ten are not shared, of each query."""
        old = self.found_by_old
        labels, of = self.data.labels, self.data.query_labels
        right = [np.array([labels[row[0]] == label for row, label in zip(hits, of)]) for hits in (old, new)]
        apart = [10 - len(np.intersect1d(a, b)) for a, b in zip(old, new)]
        return right[0] & ~right[1], np.array(apart)

    # ---- on line ----

    def rollout(self):
        return self.server.result("GET", f"{self.path}/rollout")

    def step(self, name, body=None):
        return self.server.result("POST", f"{self.path}/rollout/{name}", body or {})

    def search(self, query, row, who):
        """One caller: asks with both vectors."""
        body = {"query": {"vectors": {OLD: text_of(self.data.queries[OLD][query]), NEW: text_of(row)}},
                "limit": 10, "params": {"key": f"caller-{who}"}}
        self.server.result("POST", f"{self.path}/points/query", body, {"X-Request-Id": f"guard-{who}"})

    def ask(self, queries, rows):
        """So many callers, who then say what was relevant."""
        first, self.n_asked = self.n_asked, self.n_asked + len(queries)
        self.server.side_by_side((self.search, int(q), rows[q], first + i) for i, q in enumerate(queries))
        self.server.result("POST", f"{self.path}/feedback", {"feedback": [
            {"query_id": f"guard-{first + i}", "relevant": self.relevant[self.data.query_labels[q]]}
            for i, q in enumerate(queries)]})

    def shadow(self, budget, n_shadow, random, rows):
        """A rollout that has seen so many."""
        if self.server.ask("GET", f"{self.path}/rollout")[0] == 200:
            self.end()
        self.server.result("PUT", f"{self.path}/rollout", {
            "from": OLD, "to": NEW, "sample": 1, "gate": {"criterion": True, "min_gain": .3},
            "guard": {"excess_flips": budget}})
        for at in range(0, n_shadow, 50):
            self.ask(random.integers(0, self.n, 50), rows)

    def begin(self, budget, n_shadow, random):
        """To 50 % of canary; the shadow stage sees the model as it should be."""
        self.shadow(budget, n_shadow, random, self.data.queries[NEW])
        self.step("advance", {"percent": 50})

    def end(self):
        if self.rollout()["stage"] == "canary":
            self.step("rollback")
        if self.rollout()["stage"] == "shadow":
            self.step("abort")

    def canary(self, rows, random, most):
        """Until the guard takes it back. (after how many queries, by which guard, seen by how many)"""
        n = 0
        while n < most:
            self.ask(random.integers(0, self.n, EVERY), rows)
            n += EVERY
            now = self.rollout()
            if now["stage"] != "canary":
                break
        seen = now["comparison"]["canary"]["negative_flips_served"]
        if now["stage"] == "canary":
            return 0, "-", seen
        event = [e for e in self.events() if e["what"] == "rollback"][-1]
        assert event["by"] == "guard", event
        what = next(name for name, check in event["figures"].items() if check["breached"])
        return event["figures"][what]["n"], what, seen

    def events(self):
        return self.server.result("GET", f"{self.path}/rollout/events?limit=10000")["events"]

    # ---- drawn from what was measured ----

    def drawn(self, now, budget, n_shadow, n_gate, n_runs):
        """[(after, by, seen)] of so many rollouts, by guarded.c."""
        lines = [f"{kind} {int(flip)} {apart}" for kind, outcomes in (("usual", self.usual), ("now", now))
                 for flip, apart in zip(*outcomes)]
        most = MOST[self.is_whole] * (1 if now is self.usual else 4)
        out = subprocess.run([self.guarded, str(budget), str(n_shadow), str(n_gate), str(most), str(n_runs), str(2 * EVERY)],
                             input="\n".join(lines) + "\n", capture_output=True, text=True, check=True).stdout
        return [(int(a), by, int(seen)) for a, by, seen in (line.split() for line in out.splitlines())]

    def say_drawn(self, what, runs):
        after = sorted(n if n else 10 ** 9 for n, _, _ in runs)
        n_found, seen = sum(n > 0 for n, _, _ in runs), sorted(s for _, _, s in runs)
        half, most = after[len(after) // 2], after[int(len(after) * .9)]
        self.lines.note(f"drawn, {what}: taken back in {n_found} of {len(runs)}"
                        + (f", after {half if half < 10 ** 9 else '-'} ({most if most < 10 ** 9 else '-'}) queries, "
                           f"{seen[len(seen) // 2]} ({seen[int(len(seen) * .9)]}) callers saw a lost photograph" if n_found else ""))
        return n_found


# ---- the parts ----

def poisoned(play):
    usual = play.usual
    play.lines.note(f"healthy: {usual[0].mean():.4f} negative flips, {usual[1].mean() / 10:.3f} disagreement")
    for how in ("mixed up", "permuted"):
        rows = play.vectors(how, 1)
        now = play.outcomes(play.found(NEW, rows))
        play.lines.note(f"{how}: {now[0].mean():.4f} negative flips, {now[1].mean() / 10:.3f} disagreement")
        for budget in BUDGETS[play.is_whole]:
            excess = now[0].mean() - usual[0].mean()
            random = np.random.default_rng(int(budget * 1000))
            play.begin(budget, 300, random)
            after, by, seen = play.canary(rows, random, MOST[play.is_whole])
            what = (f"{how}, budget {budget}: taken back by {by} after {after} queries, "
                    f"{seen} callers saw a lost photograph")
            if play.is_whole and excess > 2 * budget or how == "permuted":
                play.lines.say(what, after > 0)
            else:
                play.lines.note(what)
            n_runs = 100 if play.is_whole else 20
            n_gate = play.rollout()["baseline"]["n"]
            for n_shadow, of_gate in ((0, n_gate), (300, 0), (2000, 0)):
                n_found = play.say_drawn(f"{how}, budget {budget}, over {n_shadow or n_gate} "
                                         f"{'of shadow' if n_shadow else 'of the gate'}",
                                         play.drawn(now, budget, n_shadow, of_gate, n_runs))
                if how == "permuted":
                    play.lines.say(f"{how}, budget {budget}: drawn ones are taken back", n_found == n_runs)
                elif not n_shadow and excess > 2 * budget:
                    play.lines.say(f"{how}, budget {budget}: so are enough of the drawn ones",
                                   n_found >= (n_runs if play.is_whole else n_runs // 5))


def poisoned_at_once(play):
    """A model that was bad in shadow already is not let out of it."""
    for how, n in (("mixed up", 1000 if play.is_whole else 300), ("permuted", 200)):
        play.shadow(.01, n, np.random.default_rng(7), play.vectors(how, 1))
        status, raw = play.server.ask("POST", f"{play.path}/rollout/advance", {"percent": 5})
        what = f"{how} from the start, {n} in shadow: {status} {json.loads(raw)['status']}"
        if play.is_whole or how == "permuted":
            play.lines.say(what, status == 409 and b"gate_unmet" in raw and b"negative flips in shadow" in raw)
        else:
            play.lines.note(what)


def healthy(play):
    n_played, n_back, budgets = 10 if play.is_whole else 1, 0, BUDGETS[play.is_whole]
    for seed in range(n_played):
        random = np.random.default_rng(100 + seed)
        play.begin(budgets[seed % len(budgets)], 300, random)
        n_back += play.canary(play.data.queries[NEW], random, MOST[play.is_whole] // 3)[0] > 0
    play.lines.say(f"healthy, played: {n_back} of {n_played} taken back", n_back <= max(1, n_played // 20))
    n_gate = play.rollout()["baseline"]["n"]
    for budget in BUDGETS[play.is_whole]:
        for n_shadow, of_gate in ((0, n_gate), (300, 0)):
            n_found = play.say_drawn(f"healthy, budget {budget}, over {n_shadow or n_gate} "
                                     f"{'of shadow' if n_shadow else 'of the gate'}",
                                     play.drawn(play.usual, budget, n_shadow, of_gate, 100))
            play.lines.say(f"healthy, budget {budget}, over {n_shadow or n_gate}: {n_found} of 100 taken back, at most 5",
                           n_found <= 5)


def influence(server, folder, lines, is_whole):
    """The gate refuses the classical loss on a model that knows seven of ten classes, and says why."""
    data = Set(folder, "fashion", ("v1c", NEW))
    gallery = Gallery(server, "refused", data)
    gallery.give_lessons()
    gallery.put(np.arange(data.n), lambda i: ["v1c"])
    gallery.learn(NEW, "v1c", "influence")
    gallery.activate(NEW, "v1c", "backward")
    server.result("PUT", f"{gallery.path}/rollout", {
        "from": "v1c", "to": NEW, "gate": {"criterion": True, "min_gain": .3, "max_negative_flips": .08}})
    status, raw = server.ask("POST", f"{gallery.path}/rollout/advance", {"percent": 5})
    said = json.loads(raw)["status"]
    lines.note(f"{status} {said}")
    lines.say("a bridge of kind influence on v1c is refused by the gate, with the group and its figures",
              status == 409 and said["code"] == "gate_unmet" and " of unknown is 0." in said["error"])
    lines.say("it is in shadow as before", server.result("GET", f"{gallery.path}/rollout")["stage"] == "shadow")
    now = server.result("POST", f"{gallery.path}/rollout/advance", {"percent": 5, "force": True})
    event = server.result("GET", f"{gallery.path}/rollout/events?limit=10000")["events"][-1]
    lines.say("with force it goes on, and the event has the figures",
              now["stage"] == "canary" and event["figures"]["met"] is False)


def main(program, guarded, folder, share):
    began, (program, guarded, folder) = time.monotonic(), [os.path.abspath(p) for p in (program, guarded, folder)]
    with tempfile.TemporaryDirectory() as here:
        os.chdir(here)
        server = Server(program, here)
        play = Play(server, guarded, folder, float(share))
        influence(server, folder, play.lines, play.is_whole)
        play.prepare()
        for part in (poisoned_at_once, poisoned, healthy):
            part(play)
            play.lines.note(f"{time.monotonic() - began:.0f} s")
        play.lines.say("the server stops well", server.stop() == 0)
    print(f"1..{play.lines.n}")
    return play.lines.n_missed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
