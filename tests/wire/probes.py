#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Probe sets on real embeddings: what a run says is worked out a second time here, by products over all
photographs where no bridge is active, and from what /points/query answers where one is. And what is kept
of sets, runs and canaries outlives a kill, and goes with a snapshot. A rollout runs its set on a schedule
and goes back when a model drifts.

    probes.py HEIRLOOM MODELS        MODELS: tests/data/models"""
import base64
import json
import math
import pathlib
import signal
import struct
import sys
import time
import urllib.request

from bridges import SIZES, Server, npy, tell, tensors

N_ITEMS, N_QUERIES, K, FLIP_AT, TOP = 400, 400, 7, 2, 10
MODELS = ("v1", "v3")
SET = "/collections/c/probes/golden"
GIVEN_UP = 5  # photographs that a filter leaves out


def rows(folder, model, n, first=0):
    _, shape, data = npy(folder / f"{model}_test.npy")
    size = shape[1]
    return [struct.unpack_from(f"<{size}e", data, (first + i) * size * 2) for i in range(n)]


def labels(folder, n, first=0):
    return struct.unpack_from(f"<{n}h", npy(folder / "labels_test.npy")[2], first * 2)


class Gallery:
    def __init__(self, folder):
        self.items = {m: rows(folder, m, N_ITEMS, 1000) for m in MODELS}
        self.queries = {m: rows(folder, m, N_QUERIES) for m in MODELS}
        self.on = labels(folder, N_ITEMS, 1000)
        self.asked = labels(folder, N_QUERIES)

    def relevant(self, q):
        """By ids for every third query, by the label for the others, by both for some; not what the filter takes."""
        same = {i for i in range(N_ITEMS) if self.on[i] == self.asked[q]}
        if q % 3 == 0:
            same = set(sorted(same)[:4])
        return {i for i in same if i >= GIVEN_UP or not self.has_filter(q)}

    @staticmethod
    def has_filter(q):
        return q % 5 == 0

    def probe(self, q):
        label = {"key": "on", "match": {"value": self.asked[q]}}
        probe = {"id": f"query {q}", "vectors": {}}
        for model in MODELS:
            vector = self.queries[model][q]
            probe["vectors"][model] = list(vector) if q % 8 else (
                base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode())
        if q % 3 == 0:
            probe["relevant"] = sorted(i for i in range(N_ITEMS) if self.on[i] == self.asked[q])[:4] + [10 ** 6]
        else:
            probe["relevant_if"] = {"must": [label]}
        if self.has_filter(q):
            probe["filter"] = {"must_not": [{"has_id": list(range(GIVEN_UP))}]}
        return probe


def lines(probes):
    return "\n".join(json.dumps(line) for line in [{"k": K, "flip_at": FLIP_AT}, *probes]).encode()


def put_lines(server, body):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{SET}", data=body, method="PUT",
                                     headers={"Content-Type": "application/x-ndjson"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        return json.loads(reply.read())["result"]


def run(server, body=None):
    job = server.result("POST", f"{SET}/run?wait=true&timeout=200", body or {"from": "v1", "to": "v3"})
    assert job["state"] == "done", job
    return job["result"]


# ---- the same by other means ----

def by_products(gallery, model, q):
    query = gallery.queries[model][q]
    first = GIVEN_UP if gallery.has_filter(q) else 0
    size = math.sqrt(sum(x * x for x in query))
    scored = [(-sum(a * b for a, b in zip(query, gallery.items[model][i])) / size /
               math.sqrt(sum(x * x for x in gallery.items[model][i])), i) for i in range(first, N_ITEMS)]
    return [(i, -score) for score, i in sorted(scored)[:TOP]]


def by_searches(server, gallery):
    found = {}
    for model in MODELS:
        searches = [{"using": model, "query": list(gallery.queries[model][q]), "limit": TOP,
                     **({"filter": {"must_not": [{"has_id": list(range(GIVEN_UP))}]}} if gallery.has_filter(q) else {})}
                    for q in range(N_QUERIES)]
        answers = server.result("POST", "/collections/c/points/query/batch", {"searches": searches})
        found[model] = [[(p["id"], p["score"]) for p in answer["points"]] for answer in answers]
    return found


def judge(gallery, found):
    """What a run should say, from the lists alone."""
    said = {"recall": {m: 0 for m in MODELS}, "right": {m: 0 for m in MODELS}, "lost_tops": 0, "flips": {}}
    for q in range(N_QUERIES):
        wanted = gallery.relevant(q)
        hits = {m: [i for i, _ in found[m][q][:K]] for m in MODELS}
        right = {m: any(i in wanted for i in hits[m][:FLIP_AT]) for m in MODELS}
        for m in MODELS:
            said["recall"][m] += len(wanted.intersection(hits[m])) / min(K, len(wanted)) / N_QUERIES
            said["right"][m] += right[m]
        said["lost_tops"] += found["v1"][q][0][0] not in [i for i, _ in found["v3"][q]]
        if right["v1"] != right["v3"]:
            kept = {m: wanted.intersection(hits[m]) for m in MODELS}
            said["flips"][q] = ("negative" if right["v1"] else "positive", kept["v1"] - kept["v3"],
                                kept["v3"] - kept["v1"])
    return said


def wilson(hits, n):
    z, share = 1.96, hits / n
    middle = (share + z * z / 2 / n) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / 4 / n / n)
    return middle - half, middle + half


def near(a, b, by=1e-6):
    return abs(a - b) < by


def agrees(result, said):
    """What of a run is not what was worked out; nothing when it is right."""
    sides = {"from": "v1", "to": "v3"}
    for side, model in sides.items():
        if not near(result["recall"][side]["value"], said["recall"][model]):
            yield f"recall of {model} is {said['recall'][model]}"
        if not near(result["right"][side]["value"] * N_QUERIES, said["right"][model]):
            yield f"right by {model} are {said['right'][model]}"
    for kind in ("negative", "positive"):
        flips, n = result[f"{kind}_flips"], sum(flip[0] == kind for flip in said["flips"].values())
        low, high = wilson(n, N_QUERIES)
        if flips["count"] != n or not near(flips["share"]["low"], low) or not near(flips["share"]["high"], high):
            yield f"{kind} flips are {n}, between {low} and {high}: {flips}"
    if result["lost_top_hits"] != said["lost_tops"]:
        yield f"lost top hits are {said['lost_tops']}"
    listed = {flip["query"]: (flip["flip"], set(flip["lost"]), set(flip["won"])) for flip in result["flipped"]}
    if listed != said["flips"] or result["unlisted"]:
        yield f"flipped are {said['flips']}, listed are {listed}"


def lists_agree(result, found, by):
    return all([hit["id"] for hit in flip[side]] == [i for i, _ in found[model][flip["query"]][:K]] and
               all(near(hit["score"], score, by)
                   for hit, (_, score) in zip(flip[side], found[model][flip["query"]]))
               for flip in result["flipped"] for side, model in (("from", "v1"), ("to", "v3")))


def say(name, faults):
    faults = list(faults)
    for fault in faults:
        print(f"# {fault}")
    return name, not faults


# ---- the tests ----

def figures(server, gallery):
    server.result("PUT", "/collections/c", {"vectors": {m: {"size": SIZES[m], "distance": "Cosine"} for m in MODELS}})
    server.result("PUT", "/collections/c/points?wait=true", {"points": [
        {"id": i, "vector": {m: gallery.items[m][i] for m in MODELS}, "payload": {"on": gallery.on[i]}}
        for i in range(N_ITEMS)]})
    probes = [gallery.probe(q) for q in range(N_QUERIES)]
    body = lines(probes)
    first = put_lines(server, body)
    second = server.result("PUT", SET, {"k": K, "flip_at": FLIP_AT, "queries": probes})
    yield "more than fits into a block is uploaded, and both forms are the same set", (
        len(body) > 1 << 20 and first["queries"] == N_QUERIES and second["version"] == 2 and
        first["sha256"] == second["sha256"])
    kept = server.ask("GET", f"{SET}?format=ndjson")[1]
    yield "what is downloaded is the same set again", put_lines(server, kept)["sha256"] == first["sha256"]

    found = {m: [by_products(gallery, m, q) for q in range(N_QUERIES)] for m in MODELS}
    result, said = run(server), judge(gallery, found)
    yield "there is something to see", (
        min(sum(flip[0] == kind for flip in said["flips"].values()) for kind in ("negative", "positive")) > 3 and
        any(flip[1] for flip in said["flips"].values()) and any(flip[2] for flip in said["flips"].values()))
    yield say("a run says what products over all photographs say", agrees(result, said))
    yield "it shows both lists with their scores", lists_agree(result, found, 2e-3)
    yield "ids that are no points are counted, and left out ones too", (
        result["missing_ids"] == len(range(0, N_QUERIES, 3)) and result["excluded_ids"] == sum(
            sum(i < GIVEN_UP for i in probe["relevant"]) for q, probe in enumerate(probes)
            if "relevant" in probe and gallery.has_filter(q)) and result["unjudged"] == 0)


def through_a_bridge(server, gallery, folder):
    server.result("PUT", "/collections/c/datasets/fit", tensors(*((m, folder / f"{m}_fit.npy") for m in MODELS)))
    server.learn("v3/v1", {"data": {"dataset": "fit"}, "kind": "procrustes"})
    server.activate("v3/v1", {"strategy": "backward"})
    server.result("POST", "/collections/c/points/vectors/delete?wait=true",
                  {"vector": ["v3"], "points": list(range(0, N_ITEMS, 2))})
    found = by_searches(server, gallery)
    result, said = run(server), judge(gallery, found)
    yield "through a bridge there is something to see", len(said["flips"]) > 10
    yield say("a run says what searches say that its callers make", agrees(result, said))
    yield "it shows their lists and scores", lists_agree(result, found, 1e-6)


def kept(server):
    server.result("PUT", "/collections/c/vectors/v3/canary", {"vectors": {"a": [1.0] * SIZES["v3"]}})
    server.result("PUT", "/collections/c/vectors/v3/canary", {"vectors": {"a": [1.0, *[-1.0] * (SIZES["v3"] - 1)]}})
    paths = (SET, f"{SET}?version=1", "/collections/c/vectors/v3/canary")
    before = [server.result("GET", path) for path in paths]
    snapshot = server.result("POST", "/collections/c/snapshots")["name"]
    server.end(signal.SIGKILL)
    server.again()
    yield "sets, runs and canaries outlive a kill", (
        [server.result("GET", path) for path in paths] == before and len(before[0]["runs"]) == 2 and
        before[2]["drifted"])
    server.result("DELETE", SET)
    server.result("DELETE", "/collections/c/vectors/v3/canary")
    place = f"file://{server.directory}/data/snapshots/c/{snapshot}"
    server.result("PUT", "/collections/c/snapshots/recover", {"location": place})
    yield "and come back with a snapshot", [server.result("GET", path) for path in paths] == before


def wait_for(see):
    """What is seen in the end; something is seen to be there or time is over."""
    until = time.monotonic() + 30
    seen = see()
    while not seen and time.monotonic() < until:
        time.sleep(0.05)
        seen = see()
    return seen


def watched(server, gallery):
    """What is left to the server: it runs the set on its own, and takes back a model that drifts."""
    rollout, canary = "/collections/c/rollout", "/collections/c/vectors/v3/canary"
    server.result("PUT", SET, {"k": K, "every_s": 1, "queries": [gallery.probe(q) for q in range(10)]})
    server.result("PUT", rollout, {"from": "v1", "to": "v3", "probes": "golden"})
    said = wait_for(lambda: [run for run in server.result("GET", SET)["runs"] if run["why"] == "schedule"])
    yield "a rollout runs the set that it names on its schedule", (
        bool(said) and said[0]["from"] == "v1" and said[0]["to"] == "v3" and said[0]["queries"] == 10)
    photographs = {str(i): gallery.queries["v3"][i] for i in range(5)}
    turned = {i: vector[::-1] for i, vector in photographs.items()}
    server.result("PUT", f"{canary}?replace=true", {"vectors": photographs})
    server.result("POST", f"{rollout}/advance", {"percent": 5, "force": True})
    server.result("PUT", canary, {"vectors": photographs})
    server.result("POST", f"{rollout}/promote", {"force": True})
    server.result("PUT", canary, {"vectors": turned})
    server_says = wait_for(lambda: server.result("GET", rollout)["stage"] == "shadow")
    events = server.result("GET", f"{rollout}/events")["events"]
    yield "a model that drifts is taken back at once, and the events say why", (
        server_says and [event["what"] for event in events[-2:]] == ["drift", "rollback"] and
        events[-1]["by"] == "guard" and "drift" in events[-1]["why"])


def play(server, folder):
    gallery = Gallery(folder)
    yield from figures(server, gallery)
    yield from through_a_bridge(server, gallery, folder)
    yield from kept(server)
    yield from watched(server, gallery)


if __name__ == "__main__":
    sys.exit(tell("probes", lambda server: play(server, pathlib.Path(sys.argv[2]) / "fashion")))
