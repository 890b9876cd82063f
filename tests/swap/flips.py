# SPDX-License-Identifier: Apache-2.0
"""The flips that a rollout counts are those that plain queries of each model show: every query is sent with both
vectors and judged by feedback, then asked again of each model alone, and counts must be equal, one by one.
Usage: flips.py HEIRLOOM MODELS [QUERIES]"""
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "compat"))
import gallery  # noqa: E402

HEIRLOOM, MODELS = map(os.path.abspath, sys.argv[1:3])
N_QUERIES = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
OLD, NEW, PERCENT, BLOCK = "v1", "v3", 40, 100


class Tried:
    """A gallery of which every third photograph was taken with the new model alone, and a rollout of it."""

    def __init__(self, server):
        self.data = gallery.Set(MODELS, "fashion", [OLD, NEW])
        self.all = gallery.Gallery(server, "flips", self.data)
        self.server, self.path = server, self.all.path
        self.all.give_lessons()
        self.all.put(range(self.data.n), lambda i: [NEW] if i % 3 == 0 else [OLD])
        self.all.learn(NEW, OLD, "ridge")
        self.all.activate(NEW, OLD, "backward")
        server.result("PUT", f"{self.path}/rollout", {"from": OLD, "to": NEW, "sample": 1})
        self.relevant = {int(label): [int(i) for i in (self.data.labels == label).nonzero()[0]]
                         for label in set(self.data.labels)}

    def label(self, q):
        return int(self.data.query_labels[q])

    def vector(self, model, q):
        return gallery.text_of(self.data.queries[model][q])

    def more(self, q):
        """Some look among a part of the points, exactly."""
        return {"filter": {"must_not": [{"has_id": list(range(0, self.data.n, 7))}]},
                "params": {"exact": True}} if q % 5 == 0 else {}

    def key(self, q):
        return f"user-{q % 97}"

    # ---- on line ----

    def send(self, q):
        more = self.more(q)
        more["params"] = {**more.get("params", {}), "key": self.key(q)}
        self.server.result("POST", f"{self.path}/points/query", {
            "query": {"vectors": {OLD: self.vector(OLD, q), NEW: self.vector(NEW, q)}}, "limit": 3, **more},
            {"X-Request-Id": f"q-{q}"})

    def send_batch(self, block):
        self.server.result("POST", f"{self.path}/points/query/batch", {"searches": [
            {"query": {"vectors": {OLD: self.vector(OLD, q), NEW: self.vector(NEW, q)}},
             **self.more(q), "params": {**self.more(q).get("params", {}), "key": self.key(q)}} for q in block]},
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

    def counted(self, stage):
        return self.server.result("GET", f"{self.path}/rollout")["comparison"][stage]

    # ---- off line ----

    def ask(self, model, q):
        hits = self.server.result("POST", f"{self.path}/points/query", {
            "query": self.vector(model, q), "using": model, "limit": 10, **self.more(q)})["points"]
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


def hold(tried, stage, queries, is_served):
    """What was counted in a stage against what plain queries show."""
    told, lists = tried.judge(queries), tried.find(queries)
    flips, counted = tried.flips(queries, lists), tried.counted(stage)
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


def unknown(tried, query_id):
    told = tried.server.result("POST", f"{tried.path}/feedback", {"query_id": query_id, "relevant": [1]})
    return not told["counted"] and "no query of that id was compared" in told["why"]


def run(folder):
    server = gallery.Server(HEIRLOOM, folder)
    tried = Tried(server)
    queries = range(N_QUERIES)
    half = N_QUERIES // 2
    yield from hold(tried, "shadow", queries[:half], lambda q: False)
    server.result("POST", f"{tried.path}/rollout/advance", {"percent": PERCENT, "force": True})
    model = {tried.key(q): server.result("GET", f"{tried.path}/route?key={tried.key(q)}")["model"] for q in queries}
    yield from hold(tried, "canary", queries[half:], lambda q: model[tried.key(q)] == NEW)
    yield "what was never asked is not known", unknown(tried, "never")
    yield "some keys are served by each model", set(model.values()) == {OLD, NEW}
    before = server.result("GET", f"{tried.path}/rollout")["comparison"]
    assert server.stop() == 0
    tried.server = server = gallery.Server(HEIRLOOM, folder)
    yield "counts are the same after a restart", server.result("GET", f"{tried.path}/rollout")["comparison"] == before
    yield "what was asked before a restart is forgotten", unknown(tried, "q-1")
    assert server.stop() == 0


def main():
    with tempfile.TemporaryDirectory(prefix="heirloom-flips-") as folder:
        os.chdir(folder)
        results = list(run(folder))
    print(f"TAP version 13\n1..{len(results)}")
    for i, (what, is_so) in enumerate(results, 1):
        print(f"{'ok' if is_so else 'not ok'} {i} - {what}")
    return not all(is_so for _, is_so in results)


if __name__ == "__main__":
    sys.exit(main())
