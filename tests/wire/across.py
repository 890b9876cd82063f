#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Searches through bridges, where what comes out is known: the models see the same eight numbers of a
photograph, in another order and with other signs, and the bridges put them back. Whatever the models, a
search must find what one space of all photographs would.

    across.py HEIRLOOM"""
import base64
import json
import math
import random
import struct
import sys
import urllib.request

from bridges import tell

DIM = 8
RANDOM = random.Random(7)


# ---- what the models see ----

def turn():
    """A way to see things: which number stands where, and its sign."""
    return list(zip(RANDOM.sample(range(DIM), DIM), (RANDOM.choice((-1, 1)) for _ in range(DIM))))


SEES = {"v1": [(i, 1) for i in range(DIM)], "v2": turn(), "v3": turn()}
LIKE = {"judged": turn(), "text": turn()}  # ways to be wrong


def see(turned, x):
    return [sign * x[at] for at, sign in turned]


def bridge(source, target, through=None):
    """The matrix from one model's numbers to another's, by way of another turn where it is to be wrong."""
    columns = []
    for i in range(DIM):
        seen = [0.0] * DIM
        at, sign = SEES[source][i]
        seen[at] = sign
        columns.append(see(SEES[target], see(through, seen) if through else seen))
    return [columns[i][j] for j in range(DIM) for i in range(DIM)]


def unit(x):
    length = math.sqrt(sum(v * v for v in x))
    return [v / length for v in x]


def cosine(x, y):
    return sum(a * b for a, b in zip(unit(x), unit(y)))


def photograph():
    return unit([RANDOM.gauss(0, 1) for _ in range(DIM)])


PHOTOGRAPHS = {i: photograph() for i in range(1, 31)}
WHO = {i: ("v1",) if i <= 12 else ("v2",) if i <= 20 else ("v1", "v2") if i <= 26 else ("v3",)
       for i in PHOTOGRAPHS}
ASKED = photograph()


def ids_of(*models):
    return [i for i, who in WHO.items() if set(who) & set(models)]


# ---- files ----

SCALES = {"scale.from_own": (10, -5), "scale.to_own": (20, -12), "scale.old_items": (16, -8) * 11,
          "scale.new_items": (16, -8) * 11, "text.scale.old_items": (8, -4) * 11}


def through_v2_v1(score):
    return 1.6 * score - 0.3


def of_v1_on_v2(score):
    return 2 * score - 0.7


def tensors(maps, scales, metadata):
    head, data = {"__metadata__": metadata}, b""
    for name, values in {**maps, **scales}.items():
        size = len(values)
        shape = {DIM * DIM: [DIM, DIM], 22: [11, 2]}.get(size, [size])
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * size]}
        data += struct.pack(f"<{size}f", *values)
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


class Gallery:
    def __init__(self, server, name, vectors):
        self.server, self.path = server, f"/collections/{name}"
        server.result("PUT", self.path, {"vectors": vectors})

    def fill(self, who):
        self.server.result("PUT", f"{self.path}/points?wait=true", {"points": [
            {"id": i, "payload": {"g": i % 3},
             "vector": {model: see(SEES[model], PHOTOGRAPHS[i]) for model in models}}
            for i, models in who.items()]})

    def put(self, source, target, maps, scales):
        prints = {m["name"]: m["fingerprint"] for m in self.server.result("GET", f"{self.path}/models")["models"]}
        self.server.result("PUT", f"{self.path}/bridges/{source}/{target}", tensors(maps, scales, {
            "format_version": "1", "from": source, "to": target, "fidelity": "1", "old_weight": "0.5",
            "from_fingerprint": prints[source], "to_fingerprint": prints[target]}))

    def activate(self, pair, **how):
        return self.server.result("POST", f"{self.path}/bridges/{pair}/activate?wait=true&timeout=60", how)["result"]

    def deactivate(self, pair):
        return self.server.result("POST", f"{self.path}/bridges/{pair}/deactivate?wait=true&timeout=60")

    def whole(self, body, call="query"):
        return self.server.result("POST", f"{self.path}/points/{call}", body)

    def refusal(self, body, call="query"):
        status, reply = self.server.ask("POST", f"{self.path}/points/{call}", body)
        return status, reply["status"]["error"] if status >= 400 else reply

    def query(self, using, x=None, limit=30, **more):
        x = see(SEES[using], ASKED) if x is None else x
        return self.whole({"query": x, "using": using, "limit": limit, **more})["points"]


# ---- what must come ----

def same(points, wanted):
    """Ids in their order, and scores."""
    if [p["id"] for p in points] != [i for i, _ in wanted]:
        print(f"# got    {[p['id'] for p in points]}\n# wanted {[i for i, _ in wanted]}", file=sys.stderr)
        return False
    return all(abs(p["score"] - score) < 2e-5 for p, (_, score) in zip(points, wanted))


def ranked(ids, score):
    return sorted(((i, score(i)) for i in ids), key=lambda hit: -hit[1])


def near(ids, x=None, show=lambda score: score):
    return ranked(ids, lambda i: show(cosine(x or ASKED, PHOTOGRAPHS[i])))


# ---- one bridge ----

def without(gallery):
    seen = gallery.query("v2")
    yield "without an active bridge a query sees its own model's points", same(seen, near(ids_of("v2")))
    yield "and going across changes nothing", (
        gallery.query("v2", params={"across": True}) == seen == gallery.query("v2", params={"across": False}) ==
        gallery.query("v2", params={"fidelity": 0.2, "task": "same", "modality": "text", "key": "k"}))
    explained = gallery.whole({"query": see(SEES["v2"], ASKED), "using": "v2", "limit": 2,
                               "params": {"explain": True}})
    yield "an explanation says that there was no bridge", (
        explained["points"] == seen[:2] and explained["explain"] == {
            "plan": {"number": 0, "model": "v2", "strategy": None, "legs": [
                {"space": "v2", "through": [], "fidelity": None, "without": [], "shelves": ["v2"], "scales": [None]}], "left_out": []},
            "hits": [{"leg": 0, "raw": p["score"], "shelf": "v2"} for p in seen[:2]]})
    yield "points by id need no plan", (
        gallery.whole({"limit": 2, "params": {"explain": True}})["explain"] == {"plan": None, "hits": []})
    yield "no scale of another model is made up", (
        gallery.refusal({"query": see(SEES["v2"], ASKED), "using": "v2", "params": {"score_scale": "v1"}}) ==
        (400, 'Wrong input: "score_scale" needs scores of "v2" in "v2" on the scale of "v1", and that was not measured') and
        gallery.query("v2", params={"score_scale": "v2"}) == seen)
    yield "its point has no vector of the model", gallery.refusal({"query": 3, "using": "v2"})[0] == 404


def backward(gallery):
    both = ids_of("v1", "v2")
    yield "through the bridge a query finds what one space would", same(
        gallery.query("v2"), near(both, show=through_v2_v1))
    yield "exactly too", same(gallery.query("v2", params={"exact": True}), near(both, show=through_v2_v1))
    yield "some of it as well as all of it", (
        same(gallery.query("v2", limit=4, offset=3), near(both, show=through_v2_v1)[3:7]))
    yield "queries of the old model find the new photographs, on the scores they always had", same(
        gallery.query("v1"), near(both))
    yield "who does not want to go across sees its own", (
        same(gallery.query("v2", params={"across": False}), near(ids_of("v2"))) and
        same(gallery.query("v1", params={"across": False}), near(ids_of("v1"))))
    yield "a model that no bridge touches is as it was", same(gallery.query("v3"), near(ids_of("v3")))
    yield "a filter counts everywhere", same(
        gallery.query("v2", filter={"must": {"key": "g", "match": {"value": 1}}}),
        near([i for i in both if i % 3 == 1], show=through_v2_v1))
    yield "a name nobody has is refused, and so is none at all", (
        gallery.refusal({"query": [1.0] * DIM, "using": "v9"}) ==
        (400, "Wrong input: Not existing vector name error: v9") and
        '"v1", "v2", "v3"' in gallery.refusal({"query": [1.0] * DIM})[1])
    yield "a query of the wrong size is refused before it is mapped", (
        gallery.refusal({"query": [1.0] * 3, "using": "v2"}) ==
        (400, "Wrong input: Vector dimension error: expected dim: 8, got 3"))
    yield "a query of zeros is like nothing", all(
        abs(p["score"] + 0.3) < 1e-6 for p in gallery.query("v2", [0.0] * DIM))
    yield "a longer query is the same query", same(
        gallery.query("v2", [7 * v for v in see(SEES["v2"], ASKED)]), near(both, show=through_v2_v1))


def own(gallery):
    server = gallery.server
    counts = [gallery.whole({"filter": {"must": {"has_vector": m}}}, "count")["count"] for m in ("v1", "v2", "v3")]
    yield "has_vector means a vector of its own", counts == [len(ids_of(m)) for m in ("v1", "v2", "v3")]
    point = server.result("GET", f"{gallery.path}/points/15")
    found = {p["id"]: p for p in gallery.query("v1", with_vector=True)}
    yield "and no other is shown", (
        list(point["vector"]) == list(found[15]["vector"]) == ["v2"] and list(found[3]["vector"]) == ["v1"])
    yield "nor what was not asked for", all(
        "vector" not in p or set(p["vector"]) <= {"v1"} for p in gallery.query("v2", with_vector=["v1"]))
    facet = server.result("POST", f"{gallery.path}/facet", {"key": "g"})["hits"]
    yield "counts are of points", (
        gallery.whole({}, "count")["count"] == len(PHOTOGRAPHS) and
        {h["value"]: h["count"] for h in facet} == {g: 10 for g in range(3)})
    groups = gallery.whole({"query": see(SEES["v2"], ASKED), "using": "v2", "group_by": "g", "group_size": 20},
                           "query/groups")["groups"]
    wanted = near(ids_of("v1", "v2"), show=through_v2_v1)
    yield "shelves are merged before they are grouped", (
        sorted(g["id"] for g in groups) == [0, 1, 2] and
        all(same(g["hits"], [hit for hit in wanted if hit[0] % 3 == g["id"]]) for g in groups))
    searches = [{"query": see(SEES[m], ASKED), "using": m, "limit": 30} for m in ("v1", "v2", "v3")]
    yield "a batch answers each of its queries as it would alone", (
        gallery.whole({"searches": searches}, "query/batch") == [gallery.whole(s) for s in searches])
    x = see(SEES["v2"], ASKED)
    yield "the older calls go across too", (
        same(gallery.whole({"vector": {"name": "v2", "vector": x}, "limit": 30}, "search"), wanted) and
        same(gallery.whole({"searches": [{"vector": {"name": "v2", "vector": x}, "limit": 3}]}, "search/batch")[0],
             wanted[:3]) and
        same(gallery.whole({"vector": {"name": "v2", "vector": x}, "limit": 30, "params": {"across": False}}, "search"),
             near(ids_of("v2"))))


def examples(gallery):
    both = ids_of("v1", "v2")

    def but(ids, x, show=through_v2_v1):
        return near([i for i in both if i not in ids], x, show)

    yield "a point that the model never saw is an example all the same", (
        same(gallery.query("v2", 3), but([3], PHOTOGRAPHS[3], of_v1_on_v2)) and
        same(gallery.query("v2", 15), but([15], PHOTOGRAPHS[15])) and
        same(gallery.query("v1", 15), near([i for i in both if i != 15], PHOTOGRAPHS[15])))
    yield "but not for who does not go across, and not where no bridge leads", (
        gallery.refusal({"query": 3, "using": "v2", "params": {"across": False}}) ==
        (404, 'Not found: Vector with name "v2" for point 3') and
        gallery.refusal({"query": 28, "using": "v2"}) == (404, 'Not found: Vector with name "v2" for point 28') and
        gallery.refusal({"query": 99, "using": "v2"}) == (404, "Not found: No point with id 99 found"))
    positive, negative = [3, 15, see(SEES["v2"], ASKED)], [22]
    seen = [PHOTOGRAPHS[3], PHOTOGRAPHS[15], ASKED]
    mean = [2 * sum(x[j] for x in seen) / 3 - PHOTOGRAPHS[22][j] for j in range(DIM)]

    def recommend(strategy):
        return gallery.whole({"positive": positive, "negative": negative, "strategy": strategy, "using": "v2",
                              "limit": 30}, "recommend")

    def scores(i, xs):
        return [through_v2_v1(cosine(x, PHOTOGRAPHS[i])) for x in xs]

    def best(i):
        liked, disliked = max(scores(i, seen)), max(scores(i, [PHOTOGRAPHS[22]]))
        score = max(liked, disliked)
        return math.copysign(0.5 * (score / (1 + abs(score)) + 1), 1 if liked > disliked else -1)

    rest = [i for i in both if i not in (3, 15, 22)]
    told = gallery.whole({"query": 3, "using": "v2", "limit": 1, "params": {"explain": True}})["explain"]["plan"]
    yield "a plan that was followed leaves nothing out", told["left_out"] == []
    yield "examples of all models are mixed where the search is", same(
        recommend("average_vector"), but([3, 15, 22], mean))
    yield "their scores are added on the scale that is shown", same(
        recommend("sum_scores"),
        ranked(rest, lambda i: sum(scores(i, seen)) - sum(scores(i, [PHOTOGRAPHS[22]]))))
    yield "or the best one counts, on that scale", same(recommend("best_score"), ranked(rest, best))


def scales(gallery):
    both = ids_of("v1", "v2")

    def shown(using, scale, **more):
        return gallery.query(using, params={"score_scale": scale}, **more)

    yield "scores are shown on the scale of the model that is named", (
        same(shown("v2", "v2"), near(both, show=through_v2_v1)) and
        same(shown("v2", "v1"), near(both, show=lambda s: 0.8 * s + 0.2)) and
        same(shown("v1", "v1"), near(both)) and same(shown("v1", "v2"), near(both, show=of_v1_on_v2)))
    yield "of who does not go across too", same(
        gallery.query("v2", params={"score_scale": "v1", "across": False}),
        near(ids_of("v2"), show=lambda s: (10 * s - 5 + 12) / 20))
    yield "and of an older search", same(
        gallery.whole({"vector": {"name": "v2", "vector": see(SEES["v2"], ASKED)}, "limit": 30,
                       "params": {"score_scale": "v1"}}, "search"), near(both, show=lambda s: 0.8 * s + 0.2))
    own_, old = near(both, show=through_v2_v1), near(both, show=lambda s: 0.8 * s + 0.2)
    yield "a threshold is meant as the scores are shown", (
        same(gallery.query("v2", score_threshold=own_[7][1] - 1e-4), own_[:8]) and
        same(shown("v2", "v1", score_threshold=old[7][1] - 1e-4), old[:8]))
    yield "a model that is not there has no scale, nor has one without a bridge", (
        gallery.refusal({"query": [1.0] * DIM, "using": "v2", "params": {"score_scale": "v9"}}) ==
        (400, "Wrong input: Not existing vector name error: v9") and
        gallery.refusal({"query": [1.0] * DIM, "using": "v2", "params": {"score_scale": "v3"}})[0] == 400)


def blended(x, fidelity):
    judged = see(LIKE["judged"], x)
    return unit([(1 - fidelity) * j + fidelity * f for j, f in zip(judged, x)])


def dials(gallery):
    both = ids_of("v1", "v2")

    def turned(**params):
        return gallery.query("v2", params=params)

    def at(fidelity):
        return near(both, blended(ASKED, fidelity), through_v2_v1)

    yield "a query says how faithful it wants to be", (
        same(turned(fidelity=0), at(0)) and same(turned(fidelity=0.25), at(0.25)) and same(turned(fidelity=1), at(1)))
    yield "what came through is where it was put, whatever a query says", same(
        gallery.query("v1", params={"fidelity": 0, "task": "same"}), near(both))
    gallery.activate("v2/v1", strategy="backward", fidelity=0.25)
    yield "else it is as faithful as was activated", same(turned(), at(0.25)) and same(turned(task="similar"), at(0.25))
    yield "or as the task wants it, or as was measured", same(turned(task="same"), at(1)) and same(
        turned(fidelity="auto"), at(1)) and same(turned(task="same", fidelity=0), at(0))
    gallery.activate("v2/v1", strategy="backward", fidelity=1)
    yield "text goes its own way, with its own scale", same(
        turned(modality="text"), near(both, see(LIKE["text"], ASKED), lambda s: 0.8 * s + 0.1))
    yield "images are what a query is by itself", turned(modality="image") == turned()


def several(gallery):
    both, other = ids_of("v1", "v2"), photograph()
    vectors = {"v1": other, "v2": see(SEES["v2"], ASKED)}
    between = [a + b for a, b in zip(ASKED, other)]
    yield "what both models see leads between the two", same(
        gallery.whole({"query": {"vectors": vectors}, "limit": 30})["points"],
        near(both, between, through_v2_v1))
    yield "nearest may hold it as well, and base64", same(
        gallery.whole({"query": {"nearest": {"vectors": {
            "v1": other, "v2": base64.b64encode(struct.pack("<8f", *vectors["v2"])).decode()}}},
            "limit": 30})["points"], near(both, between, through_v2_v1))
    yield "the query is whose `using` says, and the old model's goes nowhere", (
        same(gallery.whole({"query": {"vectors": vectors}, "using": "v1", "limit": 30})["points"], near(both, other)) and
        same(gallery.whole({"query": {"vectors": {"v1": other}}, "limit": 30})["points"], near(both, other)))
    yield "a newer model without a bridge is passed over, unless it is alone", (
        same(gallery.whole({"query": {"vectors": {**vectors, "v3": ASKED}}, "limit": 30})["points"],
             near(both, between, through_v2_v1)) and
        same(gallery.whole({"query": {"vectors": {"v3": see(SEES["v3"], ASKED)}}, "limit": 30})["points"],
             near(ids_of("v3"))))
    yield "every vector is checked", (
        gallery.refusal({"query": {"vectors": {"v1": [1.0], "v2": vectors["v2"]}}}) ==
        (400, "Wrong input: Vector dimension error: expected dim: 8, got 1") and
        gallery.refusal({"query": {"vectors": {"v9": [1.0]}}})[1] == "Wrong input: Not existing vector name error: v9" and
        gallery.refusal({"query": {"vectors": {"v1": other}}, "using": "v2"}) ==
        (400, 'Wrong input: "using" is "v2", and no vector of it is among "vectors"'))


def told(gallery):
    server, x = gallery.server, see(SEES["v2"], ASKED)
    reply = gallery.whole({"query": x, "using": "v2", "limit": 30, "params": {"explain": True}})
    plan, wanted = reply["explain"]["plan"], near(ids_of("v1", "v2"))
    leg = plan["legs"][0]
    scales = leg.pop("scales")
    yield "an explanation says which plan it was", (
        plan["number"] > 0 and plan["model"] == "v2" and plan["strategy"] == "backward" and len(plan["legs"]) == 1 and
        leg == {"space": "v1", "through": [{"from": "v2", "to": "v1", "revision": 1}], "fidelity": 1.0, "without": [],
                "shelves": ["v1", "v2"]} and
        len(scales) == 2 and
        all(abs(scale["factor"] - 1.6) < 1e-6 and abs(scale["shift"] + 0.3) < 1e-6 for scale in scales))
    yield "and of each point the score it was found with, and whose vector", all(
        hit["leg"] == 0 and abs(hit["raw"] - score) < 2e-5 and hit["shelf"] == ("v1" if "v1" in WHO[i] else "v2")
        for hit, (i, score) in zip(reply["explain"]["hits"], wanted))
    batch = gallery.whole({"searches": [{"query": x, "using": "v2"}, {"query": x, "using": "v2",
                                                                      "params": {"explain": True}}]}, "query/batch")
    yield "of a batch each query is told what it asked for", "explain" not in batch[0] and "explain" in batch[1]
    yield "where there is no room it is refused", (
        gallery.refusal({"query": x, "using": "v2", "group_by": "g", "params": {"explain": True}}, "query/groups") ==
        (400, '"params.explain" is not supported: this reply has no room beside its hits, ask /points/query'))

    def raw(url):
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}{gallery.path}/points/query?{url}", data=struct.pack("<8f", *x),
            headers={"Content-Type": "application/octet-stream"}, method="POST")
        with urllib.request.urlopen(request) as reply:
            return json.loads(reply.read())["result"]

    def said(**params):
        return gallery.whole({"query": x, "using": "v2", "limit": 30, "params": params})

    yield "raw vectors go across, and their URL says how", all(
        raw(f"using=v2&limit=30&{url}") == said(**params) for url, params in (
            ("", {}), ("across=false", {"across": False}), ("fidelity=0.25", {"fidelity": 0.25}),
            ("score_scale=v1", {"score_scale": "v1"}), ("modality=text", {"modality": "text"}),
            ("explain=true", {"explain": True})))
    def mapped():
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as page:
            return next(int(line.split()[1]) for line in page.read().decode().splitlines()
                        if line.startswith("heirloom_query_map_duration_seconds_count"))

    before = mapped()
    for using, params in (("v2", {}), ("v1", {}), ("v3", {}), ("v2", {"across": False}), ("v2", {"exact": True})):
        gallery.query(using, params=params)
    yield "queries that went through a bridge are counted", mapped() == before + 2


# ---- other plans ----

def dual(gallery):
    gallery.activate("v2/v1", strategy="dual", fidelity=1)
    mixed = ranked(ids_of("v1", "v2"), lambda i: (lambda s: s if "v2" in WHO[i] else through_v2_v1(s))(
        cosine(ASKED, PHOTOGRAPHS[i])))
    yield "served dual, a model's own photographs have their own scores, and the others' come to their scale", same(
        gallery.query("v2"), mixed)
    yield "within a threshold, a page and a filter too", (
        same(gallery.query("v2", score_threshold=mixed[9][1] - 1e-4), mixed[:10]) and
        same(gallery.query("v2", limit=5, offset=4), mixed[4:9]) and
        same(gallery.query("v2", filter={"must": {"key": "g", "match": {"value": 2}}}),
             [hit for hit in mixed if hit[0] % 3 == 2]))
    yield "groups have what both found", sorted(
        h["id"] for g in gallery.whole({"query": see(SEES["v2"], ASKED), "using": "v2", "group_by": "g",
                                        "group_size": 20}, "query/groups")["groups"] for h in g["hits"]
    ) == ids_of("v1", "v2")
    legs = gallery.whole({"query": see(SEES["v2"], ASKED), "using": "v2", "params": {"explain": True}})["explain"]["plan"]["legs"]
    yield "an explanation shows both", (
        [leg["space"] for leg in legs] == ["v2", "v1"] and [leg["without"] for leg in legs] == [[], ["v2"]] and
        legs[0]["scales"] == [None] and abs(legs[1]["scales"][0]["factor"] - 1.6) < 1e-6)
    rest = [i for i in ids_of("v1", "v2") if i != 3]
    yield "for a point that the model never saw everything is looked for where it was seen", same(
        gallery.query("v2", 3), near(rest, PHOTOGRAPHS[3], of_v1_on_v2))
    yield "for one that it saw both sides are", same(gallery.query("v2", 15), sorted(
        ((i, s if "v2" in WHO[i] else through_v2_v1(s)) for i, s in near([i for i in ids_of("v1", "v2") if i != 15],
                                                                         PHOTOGRAPHS[15])), key=lambda hit: -hit[1]))
    seen, unseen = PHOTOGRAPHS[15], PHOTOGRAPHS[22]

    def summed(i):
        scores = [cosine(x, PHOTOGRAPHS[i]) for x in (seen, unseen)]
        return sum(s if "v2" in WHO[i] else through_v2_v1(s) for s in scores)

    yield "scores of several examples come to one scale one by one", same(
        gallery.whole({"positive": [15, 22], "strategy": "sum_scores", "using": "v2", "limit": 30}, "recommend"),
        ranked([i for i in ids_of("v1", "v2") if i not in (15, 22)], summed))
    yield "queries of the old model never notice", same(gallery.query("v1"), near(ids_of("v1", "v2")))


def chain(gallery):
    gallery.activate("v2/v1", strategy="backward", fidelity=1)
    gallery.put("v3", "v2", {"faithful.weight": bridge("v3", "v2")}, {})
    gallery.activate("v3/v2", strategy="backward", fidelity=1)
    everything = list(PHOTOGRAPHS)
    yield "over two bridges the newest model finds everything", same(gallery.query("v3"), near(everything))
    yield "and what it saw alone is found by the oldest", same(gallery.query("v1"), near(everything))
    yield "a point of any model is an example for any other", all(
        same(gallery.query(model, i), near([j for j in everything if j != i], PHOTOGRAPHS[i], show))
        for model, i, show in (("v1", 28, lambda s: s), ("v3", 3, lambda s: s), ("v3", 15, lambda s: s),
                               ("v2", 28, of_v1_on_v2)))
    refused = gallery.refusal({"query": see(SEES["v3"], ASKED), "using": "v3", "score_threshold": 0.5})
    yield "over two bridges nothing was measured, so no threshold means anything", refused == (
        400, 'Wrong input: "score_threshold" needs scores of "v3" in "v1" on the scale of "v3", and that was not measured')
    yield "nor has a score a scale", gallery.refusal({"query": see(SEES["v3"], ASKED), "using": "v3",
                                                      "params": {"score_scale": "v1"}})[0] == 400
    yield "but within its own points it has", same(
        gallery.query("v3", score_threshold=-2, params={"across": False}), near(ids_of("v3")))
    gallery.deactivate("v3/v2")
    gallery.deactivate("v2/v1")
    yield "deactivated, all is as it was", same(gallery.query("v2"), near(ids_of("v2")))


def forward(server):
    gallery = Gallery(server, "f", {m: {"size": DIM, "distance": "Cosine"} for m in ("v1", "v2")})
    gallery.fill({i: who for i, who in WHO.items() if "v3" not in who})
    gallery.put("v1", "v2", {"faithful.weight": bridge("v1", "v2")}, {})
    gallery.activate("v1/v2", strategy="forward")
    yield "served forward, old photographs are found in the new space, raw", same(
        gallery.query("v2"), near(ids_of("v1", "v2")))
    yield "by id of one that the model never saw too", same(
        gallery.query("v2", 3), near([i for i in ids_of("v1", "v2") if i != 3], PHOTOGRAPHS[3]))


def ends(server):
    """Where no point, or every point, has the query's own vector."""
    gallery = Gallery(server, "e", {m: {"size": DIM, "distance": d} for m, d in
                                    (("v1", "Euclid"), ("v2", "Cosine"))})
    old = {i: ("v1",) for i in range(1, 13)}
    gallery.fill(old)
    gallery.put("v2", "v1", {"faithful.weight": bridge("v2", "v1")}, SCALES)
    gallery.activate("v2/v1", strategy="dual", fidelity=1)
    yield "when no point has the model's vector, the other space is searched alone", same(
        gallery.query("v2"), near(old, show=through_v2_v1))
    yield "whose distances become products on the way, and stay distances for its own queries", (
        same(gallery.query("v1"), sorted(((i, math.sqrt(2 - 2 * s)) for i, s in near(old)), key=lambda hit: hit[1])) and
        same(gallery.query("v2", params={"score_scale": "v1"}), sorted(
            ((i, math.sqrt(max(0.0, 2 - 2 * (0.8 * s + 0.2)))) for i, s in near(old)), key=lambda hit: hit[1])))
    by_distance = gallery.query("v2", params={"score_scale": "v1"})
    yield "a threshold of theirs is one too", gallery.query(
        "v2", params={"score_scale": "v1"}, score_threshold=by_distance[4]["score"] + 1e-4) == by_distance[:5]
    gallery.fill({i: ("v1", "v2") for i in old})
    reply = gallery.whole({"query": see(SEES["v2"], ASKED), "using": "v2", "limit": 30, "params": {"explain": True}})
    alone = gallery.query("v2", params={"across": False})
    yield "when every point has it, its own space is, and nothing is mapped", (
        reply["points"] == alone and same(alone, near(old)) and
        [hit["raw"] for hit in reply["explain"]["hits"]] == [p["score"] for p in alone])


def unnamed(server):
    gallery = Gallery(server, "u", {"size": DIM, "distance": "Cosine"})
    server.result("PUT", f"{gallery.path}/vectors/v2", {"dense": {"size": DIM, "distance": "Cosine"}})
    for i in range(1, 7):
        vector = PHOTOGRAPHS[i] if i < 4 else {"v2": see(SEES["v2"], PHOTOGRAPHS[i])}
        server.result("PUT", f"{gallery.path}/points?wait=true", {"points": [{"id": i, "vector": vector}]})
    prints = {m["name"]: m["fingerprint"] for m in server.result("GET", f"{gallery.path}/models")["models"]}
    server.result("PUT", f"{gallery.path}/bridges/v2/@default", tensors(
        {"faithful.weight": bridge("v2", "v1")}, SCALES,
        {"format_version": "1", "from": "v2", "to": "@default", "from_fingerprint": prints["v2"],
         "to_fingerprint": prints.get("", prints.get("@default"))}))
    gallery.activate("v2/@default", strategy="backward")
    ids = list(range(1, 7))
    yield "without `using` a query is the unnamed model's", same(
        gallery.whole({"query": ASKED, "limit": 9})["points"], near(ids))
    yield "the unnamed model has a word where ours are", (
        same(gallery.query("v2", params={"score_scale": "@default"}), near(ids, show=lambda s: 0.8 * s + 0.2)) and
        same(gallery.whole({"query": {"vectors": {"@default": ASKED}}, "limit": 9})["points"], near(ids)) and
        gallery.whole({"query": see(SEES["v2"], ASKED), "using": "v2",
                       "params": {"explain": True}})["explain"]["plan"]["legs"][0]["space"] == "@default")
    yield "a point without the new model's vector prints a bare one", (
        server.result("GET", f"{gallery.path}/points/2")["vector"][0] is not None)


def row(server):
    """Four models, each with a bridge to the one before it."""
    SEES["v4"] = turn()
    names = ("v1", "v2", "v3", "v4")
    gallery = Gallery(server, "r", {m: {"size": DIM, "distance": "Cosine"} for m in names})
    gallery.fill({i: (names[i % 4],) for i in range(1, 21)})
    for new, old in (("v2", "v1"), ("v3", "v2"), ("v4", "v3")):
        gallery.put(new, old, {"faithful.weight": bridge(new, old)}, {})
        gallery.activate(f"{new}/{old}", strategy="backward", fidelity=1)
    yield "of four models in a row, those between find what all of them saw", all(
        same(gallery.query(m), near(range(1, 21))) and
        same(gallery.query(m, filter={"must": {"key": "g", "match": {"value": 1}}}), near(range(1, 21, 3)))
        for m in ("v2", "v3"))
    yield "the outer ones do not see each other over three bridges", all(
        same(gallery.query(m), near([i for i in range(1, 21) if i % 4 != other])) for m, other in (("v1", 3), ("v4", 0)))
    reaches = {m["name"]: m["reaches"] for m in server.result("GET", f"{gallery.path}/models")["models"]}
    yield "models say so", (
        [reaches[m]["points"] for m in names] == [15, 20, 20, 15] and
        all(reaches[m]["legs"][-1] == {"space": m, "through": [], "models": ["v4"]} for m in ("v2", "v3")))


def lengths(server):
    """Dot vectors that came after the bridge, and not of length 1."""
    gallery = Gallery(server, "l", {"v1": {"size": DIM, "distance": "Cosine"}, "v2": {"size": DIM, "distance": "Dot"}})
    gallery.fill({i: ("v2",) for i in range(1, 7)})
    gallery.put("v2", "v1", {"faithful.weight": bridge("v2", "v1"), "faithful.bias": [0.5] * DIM}, {})
    gallery.activate("v2/v1", strategy="backward", fidelity=1)
    server.result("PUT", f"{gallery.path}/points?wait=true", {"points": [
        {"id": 7, "vector": {"v2": [5 * v for v in see(SEES["v2"], PHOTOGRAPHS[6])]}}]})
    scores = {p["id"]: p["score"] for p in gallery.query("v1")}
    yield "a longer vector is the same photograph to other models", (
        len(scores) == 7 and abs(scores[6] - scores[7]) < 1e-6)
    status, reply = server.ask("POST", f"{gallery.path}/bridges/v2/v1/activate", {})
    yield "but nothing is activated over it", status == 422 and reply["status"]["error"].startswith(
        '1 of 7 sampled vectors of "v2" are not of length 1')


def neighbours(server):
    """Two bridges into one space, of which each was measured on data of its own."""
    gallery = Gallery(server, "n", {m: {"size": DIM, "distance": "Cosine"} for m in ("v1", "v2", "v3")})
    gallery.fill(WHO)
    gallery.put("v3", "v1", {"faithful.weight": bridge("v3", "v1")}, SCALES)
    gallery.put("v2", "v1", {"faithful.weight": bridge("v2", "v1")}, {**SCALES, "scale.to_own": (10, -3)})
    alone = [i for i, who in WHO.items() if set(who) & {"v1", "v3"}]
    gallery.activate("v3/v1", strategy="backward", fidelity=1)
    before = gallery.query("v3", params={"score_scale": "v1"})
    gallery.activate("v2/v1", strategy="backward", fidelity=1)
    after = gallery.query("v3", params={"score_scale": "v1"}, filter={"must": {"has_id": alone}})
    yield "a bridge that comes later leaves the scores of another one's queries alone", (
        len(before) == len(alone) and before == after)


def play(server):
    gallery = Gallery(server, "c", {m: {"size": DIM, "distance": "Cosine"} for m in SEES})
    server.result("PUT", f"{gallery.path}/index?wait=true", {"field_name": "g", "field_schema": "integer"})
    gallery.fill(WHO)
    yield from without(gallery)
    gallery.put("v2", "v1", {"faithful.weight": bridge("v2", "v1"),
                             "judged.weight": bridge("v2", "v1", LIKE["judged"]),
                             "text.faithful.weight": bridge("v2", "v1", LIKE["text"]),
                             "text.judged.weight": bridge("v2", "v1", LIKE["text"])}, SCALES)
    yield "a bridge that is there and not active changes nothing", same(gallery.query("v2"), near(ids_of("v2")))
    gallery.activate("v2/v1", strategy="backward", fidelity=1)
    for part in (backward, own, examples, scales, dials, several, told, dual, chain):
        yield from part(gallery)
    for part in (forward, ends, unnamed, row, lengths, neighbours):
        yield from part(server)


if __name__ == "__main__":
    sys.exit(tell("across", play))
