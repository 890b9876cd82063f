# SPDX-License-Identifier: Apache-2.0
"""The flips that a rollout counts are those that plain queries of each model show: every query is sent with both
vectors and judged by feedback, then asked again of each model alone, and counts must be equal, one by one.
Usage: flips.py HEIRLOOM MODELS [QUERIES]"""
import os
import sys
import tempfile

from tried import NEW, OLD, Tried, gallery, tell

HEIRLOOM, MODELS = map(os.path.abspath, sys.argv[1:3])
N_QUERIES = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
PERCENT, BLOCK = 40, 100


class Judged(Tried):
    """Searches of which is known what was relevant: photographs of the same kind."""

    def __init__(self, server):
        super().__init__(server, MODELS, "flips", 1)
        self.relevant = {int(label): [int(i) for i in (self.data.labels == label).nonzero()[0]]
                         for label in set(self.data.labels)}

    def label(self, q):
        return int(self.data.query_labels[q])

    def among(self, q):
        """Some look among a part of the points, exactly: a filter, and params."""
        if q % 5:
            return {}, {}
        return {"filter": {"must_not": [{"has_id": list(range(0, self.data.n, 7))}]}}, {"exact": True}

    def key(self, q):
        return f"user-{q % 97}"

    # ---- on line ----

    def search(self, q):
        part, params = self.among(q)
        return {**self.both(q, key=self.key(q), **params), **part}

    def send(self, q):
        self.server.result("POST", f"{self.path}/points/query", self.search(q), {"X-Request-Id": f"q-{q}"})

    def send_batch(self, block):
        self.server.result("POST", f"{self.path}/points/query/batch", {"searches": [self.search(q) for q in block]},
                           {"X-Request-Id": f"batch-{block[0]}"})

    def name(self, q, block, is_batch):
        return {"query_id": f"batch-{block[0]}", "index": q - block[0]} if is_batch else {"query_id": f"q-{q}"}

    def judge(self, queries):
        """Verdicts, in the order of the queries."""
        verdicts = []
        for number, at in enumerate(range(0, len(queries), BLOCK)):
            block = queries[at:at + BLOCK]
            is_batch = number % 3 == 2
            if is_batch:
                self.send_batch(block)
            else:
                self.server.side_by_side((self.send, q) for q in block)
            body = {"feedback": [{**self.name(q, block, is_batch), "relevant": self.relevant[self.label(q)]}
                                 for q in block]}
            told = self.server.result("POST", f"{self.path}/feedback", body)
            assert told["counted"] == len(block), told
            again = self.server.result("POST", f"{self.path}/feedback", body)
            assert again["counted"] == 0, again
            assert {v["why"] for v in again["feedback"]} == {"it was counted before"}, again
            verdicts += [v["flip"] for v in told["feedback"]]
        return verdicts

    # ---- off line ----

    def ask(self, model, q):
        part, params = self.among(q)
        hits = self.server.result("POST", f"{self.path}/points/query", {
            "query": self.vector(model, q), "using": model, "limit": 10, "params": params, **part})["points"]
        return [hit["id"] for hit in hits]

    def find(self, queries):
        """Both lists of each query."""
        return list(zip(self.server.side_by_side((self.ask, OLD, q) for q in queries),
                        self.server.side_by_side((self.ask, NEW, q) for q in queries)))

    def flips(self, queries, lists):
        right = [(self.data.labels[old[0]] == self.label(q), self.data.labels[new[0]] == self.label(q))
                 for q, (old, new) in zip(queries, lists)]
        return ["negative" if old and not new else "positive" if new and not old else None for old, new in right]


def equal(what, got, wanted):
    is_equal = got == wanted if not isinstance(wanted, float) else abs(got - wanted) < 1e-9
    return f"{what}: {got} on line, {wanted} off line", is_equal


def hold(judged, stage, queries, is_served):
    """What was counted in a stage against what plain queries show."""
    told, lists = judged.judge(queries), judged.find(queries)
    flips, counted = judged.flips(queries, lists), judged.counted(stage)
    n = len(queries)
    overlap = sum(len(set(old) & set(new)) / 10 for old, new in lists) / n
    yield f"{stage}: every query's verdict is the same on line and off line", told == flips
    yield equal(f"{stage}: compared", counted["compared"], n)
    yield equal(f"{stage}: dropped", counted["dropped"], 0)
    yield equal(f"{stage}: judged", counted["judged"], n)
    for name, wanted in (("negative", flips.count("negative")), ("positive", flips.count("positive"))):
        figure = counted[f"{name}_flips"]
        yield equal(f"{stage}: {name} flips", round(figure["value"] * figure["of"]), wanted)
    yield equal(f"{stage}: lost top hits", round(counted["lost_tops"]["value"] * n),
                sum(old[0] not in new for old, new in lists))
    yield equal(f"{stage}: overlap at 10", counted["overlap10"]["value"], overlap)
    yield equal(f"{stage}: flips that a caller saw", counted["negative_flips_served"],
                sum(flip == "negative" and is_served(q) for q, flip in zip(queries, flips)))
    yield f"{stage}: there are flips of both kinds to be counted", {"negative", "positive"} < set(flips)
    yield f"{stage}: nothing failed", counted["errors_from"]["value"] == counted["errors_to"]["value"] == 0


def unknown(judged, query_id):
    told = judged.server.result("POST", f"{judged.path}/feedback", {"query_id": query_id, "relevant": [1]})
    return not told["counted"] and "no query of that id was compared" in told["why"]


def run(folder):
    server = gallery.Server(HEIRLOOM, folder)
    judged = Judged(server)
    queries = range(N_QUERIES)
    half = N_QUERIES // 2
    yield from hold(judged, "shadow", queries[:half], lambda q: False)
    server.result("POST", f"{judged.path}/rollout/advance", {"percent": PERCENT, "force": True})
    model = {judged.key(q): server.result("GET", f"{judged.path}/route?key={judged.key(q)}")["model"] for q in queries}
    yield from hold(judged, "canary", queries[half:], lambda q: model[judged.key(q)] == NEW)
    yield "what was never asked is not known", unknown(judged, "never")
    yield "some keys are served by each model", set(model.values()) == {OLD, NEW}
    before = server.result("GET", f"{judged.path}/rollout")["comparison"]
    assert server.stop() == 0
    judged.server = server = gallery.Server(HEIRLOOM, folder)
    yield "counts are the same after a restart", server.result("GET", f"{judged.path}/rollout")["comparison"] == before
    yield "what was asked before a restart is forgotten", unknown(judged, "q-1")
    assert server.stop() == 0


def main():
    with tempfile.TemporaryDirectory(prefix="heirloom-flips-") as folder:
        os.chdir(folder)
        return not tell(run(folder))


if __name__ == "__main__":
    sys.exit(main())
