#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A rollout over the wire: whom `route` sends where, which of two vectors is served, operators who act
at once, and a server that ends in each stage.

    rollouts.py HEIRLOOM"""
import hashlib
import http.client
import json
import random
import signal
import sys
import threading
import time

from across import ASKED, DIM, SCALES, SEES, WHO, Gallery, bridge, photograph, see
from bridges import tell

ROLLOUT = {"from": "v1", "to": "v2", "sample": 1}
GATE = {"criterion": False}


def place(number, key):
    """Where a key stands, in percent."""
    return int.from_bytes(hashlib.sha256(f"{number}:{key}".encode()).digest()[:8], "big") / 2**64 * 100


class Rollout:
    def __init__(self, server, path):
        self.server, self.path = server, path

    def start(self, **more):
        return self.server.result("PUT", f"{self.path}/rollout", {**ROLLOUT, "gate": GATE, **more})

    def step(self, name, **body):
        return self.server.result("POST", f"{self.path}/rollout/{name}", body)

    def forced(self, name, **body):
        return self.step(name, force=True, **body)

    def end(self):
        return self.server.result("DELETE", f"{self.path}/rollout")

    def now(self):
        return self.server.result("GET", f"{self.path}/rollout")

    def events(self, since=0):
        return self.server.result("GET", f"{self.path}/rollout/events?since={since}&limit=10000")["events"]

    def route(self, key=None):
        return self.server.result("GET", f"{self.path}/route" + (f"?key={key}" if key is not None else ""))


# ---- whom it serves ----

def shares(rollout):
    keys = [f"user-{i}" for i in range(400)]
    number, moved = rollout.start()["number"], {}
    yield "in shadow everybody stays, and is asked to send along the other", all(
        (r["model"], r["also"]) == ("v1", "v2") for r in map(rollout.route, keys[:20]))
    for percent in (5, 40.25, 20):
        rollout.forced("advance", percent=percent)
        moved[percent] = {key for key in keys if rollout.route(key)["model"] == "v2"}
        yield f"at {percent} % those keys are moved whose sums say so", (
            moved[percent] == {key for key in keys if place(number, key) < percent})
    yield "another share moves only the keys it must", moved[5] < moved[20] < moved[40.25]
    yield "who says no key stays", rollout.route()["model"] == "v1"
    rollout.forced("promote")
    yield "live means everybody", all(rollout.route(key)["model"] == "v2" for key in [None, *keys[:20]])
    rollout.step("rollback")
    yield "and back is everybody too", all(rollout.route(key)["model"] == "v1" for key in [None, *keys[:20]])
    rollout.step("abort")


def served(gallery, rollout):
    """What was sent for two models is answered as if the caller's alone had been the query's."""
    vectors = {"v1": photograph(), "v2": see(SEES["v2"], ASKED)}

    def ids(key=None, **more):
        params = {"params": {"key": key}} if key else {}
        return [p["id"] for p in gallery.whole({"query": {"vectors": vectors}, "limit": 30, **params, **more})["points"]]

    old, new = ids(using="v1"), ids(using="v2")
    yield "the two models answer otherwise", old != new
    number = rollout.start()["number"]
    keys = sorted((f"key-{i}" for i in range(50)), key=lambda key: place(number, key))
    yield "in shadow the old one is served", ids() == ids(keys[0]) == old
    rollout.forced("advance", percent=50)
    yield "in canary as the key is routed", all(
        ids(key) == (new if place(number, key) < 50 else old) for key in (keys[0], keys[-1])) and ids() == old
    yield "a single vector is its own model's, whatever the key", (
        [p["id"] for p in gallery.query("v1", vectors["v1"], params={"key": keys[0]})] == old)
    yield "a single vector and `using` are what they were", (
        ids(keys[0], using="v1") == old and ids(keys[-1], using="v2") == new)
    rollout.forced("promote")
    yield "live the new one", ids() == ids(keys[-1]) == new
    rollout.step("rollback")
    yield "and the old one again with the next request", ids() == ids(keys[0]) == old
    rollout.step("abort")
    yield "who gives up leaves callers where they were", ids() == old and rollout.route()["model"] == "v1"


def embedded_again(server):
    """No bridge is active: the new model has to have seen every photograph itself."""
    gallery = Gallery(server, "whole", {m: {"size": DIM, "distance": "Cosine"} for m in ("v1", "v2")})
    rollout = Rollout(server, gallery.path)
    wanted = {**ROLLOUT, "gate": GATE}
    yield "nothing is whole without a photograph", (
        server.ask("PUT", f"{gallery.path}/rollout", wanted)[1]["status"]["code"] == "conflict")
    gallery.fill({1: ("v1", "v2"), 2: ("v1",), 3: ("v2",)})
    refused = server.ask("PUT", f"{gallery.path}/rollout", wanted)
    yield "a photograph that the new model would lose keeps callers with the old one", (
        refused[0] == 409 and "activate one first" in refused[1]["status"]["error"])
    gallery.fill({2: ("v1", "v2")})
    rollout.start()
    rollout.forced("advance", percent=50)
    yield "where all were embedded again no bridge is needed", rollout.forced("promote")["stage"] == "live"
    server.result("DELETE", gallery.path)


# ---- two at once ----

def race(port, calls):
    """Sends the calls at the same moment, each on a connection of its own: their replies."""
    start, replies = threading.Barrier(len(calls)), [None] * len(calls)

    def run(i, method, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.connect()
        start.wait()
        connection.request(method, path, json.dumps(body))
        reply = connection.getresponse()
        replies[i] = (reply.status, json.loads(reply.read()))
        connection.close()

    threads = [threading.Thread(target=run, args=(i, *call)) for i, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def races(server, rollout):
    path, draw, faults = f"{rollout.path}/rollout", random.Random(11), []
    wins = {"promote": 0, "rollback": 0, "advance": 0}
    rollout.start()
    step = rollout.forced("advance", percent=5)["step"]
    for _ in range(30):
        first, second = draw.sample(sorted(wins), 2)
        bodies = {"promote": {"force": True}, "rollback": {}, "advance": {"percent": round(draw.uniform(6, 99), 2)}}
        replies = race(server.port, [("POST", f"{path}/{name}", {**bodies[name], "expect": step})
                                     for name in (first, second)])
        now, last = rollout.now(), rollout.events()[-1]
        ok = [name for name, (status, _) in zip((first, second), replies) if status == 200]
        refused = [reply["status"] for status, reply in replies if status == 409]
        if len(ok) != 1 or len(refused) != 1:
            faults.append(f"{first} and {second}: {replies}")
            break
        wins[ok[0]] += 1
        if f'is in "{now["stage"]}"' not in refused[0]["error"] or refused[0]["code"] not in ("conflict", "illegal_step"):
            faults.append(f"the other was told {refused[0]}, and it is {now['stage']}")
        if now["step"] != step + 1 or (last["what"], last["step"]) != (ok[0], step + 1):
            faults.append(f"{ok[0]} won, and there is {last} and {now}")
        if now["stage"] == "live":
            rollout.step("rollback")
        step = (rollout.forced("advance", percent=5) if rollout.now()["stage"] == "shadow" else now)["step"]
    print("".join(f"# {fault}\n" for fault in faults) + f"# of 30 races: {wins}", file=sys.stderr)
    yield "of two operators one wins, and the other is told what there is now", not faults
    n = rollout.now()["step"]
    replies = race(server.port, [("POST", f"{path}/rollback", {})] * 8)
    yield "of eight that roll back at once one does", (
        sorted(status for status, _ in replies) == [200] + 7 * [409] and rollout.now()["step"] == n + 1)
    rollout.step("abort")


# ---- while everybody asks ----

class Caller(threading.Thread):
    """Asks for the route, and searches with both vectors, as fast as it can: what it saw and since when."""

    def __init__(self, server, path, key, vectors):
        super().__init__()
        self.port, self.path, self.key, self.is_over = server.port, path, key, False
        self.seen, self.found, self.failed = [], [], []
        self.body = json.dumps({"query": {"vectors": vectors}, "limit": 30, "params": {"key": key}})

    def ask(self, connection, method, path, body=None):
        began = time.monotonic()
        connection.request(method, path, body)
        reply = connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            self.failed.append(answer)
        return began, answer.get("result")

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.is_over and not self.failed:
            self.seen.append(self.ask(connection, "GET", f"{self.path}/route?key={self.key}"))
            began, result = self.ask(connection, "POST", f"{self.path}/points/query", self.body)
            self.found.append((began, time.monotonic(), [p["id"] for p in result["points"]] if result else None))
        connection.close()


def served_in(stage, percent, number, key):
    return stage == "live" or (stage == "canary" and place(number, key) < percent)


def under_load(server, gallery, rollout):
    vectors = {"v1": photograph(), "v2": see(SEES["v2"], ASKED)}
    answers = [[p["id"] for p in gallery.whole({"query": {"vectors": vectors}, "using": m, "limit": 30})["points"]]
               for m in ("v1", "v2")]
    number = rollout.start()["number"]
    callers = [Caller(server, gallery.path, f"caller-{i}", vectors) for i in range(4)]
    for caller in callers:
        caller.start()
    steps = [(0.0, rollout.now())]  # since when a record stood for who asks afterwards
    for _ in range(8):
        for step, body in (("advance", {"percent": 50, "force": True}), ("advance", {"percent": 10}),
                           ("promote", {"force": True}), ("rollback", {})):
            now = rollout.step(step, **body)
            steps.append((time.monotonic(), now))
    for caller in callers:
        caller.is_over = True
        caller.join()
    n = sum(len(caller.seen) for caller in callers)
    stood = {now["step"]: now for _, now in steps}
    print(f"# {2 * n} requests beside {len(steps) - 1} steps", file=sys.stderr)
    yield "no request fails for a step", n > 100 and not any(c.failed for c in callers)
    yield "whoever asks after a step was answered is answered by it, or by a later one", all(
        route["step"] >= max(now["step"] for at, now in steps if at <= began)
        for c in callers for began, route in c.seen)
    yield "and by the model of that step", all(
        route["model"] == ("v2" if served_in(route["stage"], stood[route["step"]]["percent"], number, c.key) else "v1")
        for c in callers for _, route in c.seen)
    wrong = 0
    for c in callers:
        for began, ended, ids in c.found:
            first = max(i for i, (at, _) in enumerate(steps) if at <= began)
            # a step counts some time before its answer is here: the one behind the last may, too
            could = [now for at, now in steps[first:] if at <= ended or now is steps[first][1]]
            could += [now for at, now in steps if at > ended][:1]
            wrong += ids not in [answers[served_in(now["stage"], now["percent"], number, c.key)] for now in could]
    yield "searches are served by what stood while they were asked", not wrong
    rollout.step("abort")


# ---- restarts ----

def restarts(server, rollout):
    def everything():
        now = rollout.now()
        del now["comparison"]  # is saved every few seconds
        return now, rollout.events(), [rollout.route(key) for key in (None, "a", "b", "c")]

    ways = {"shadow": rollout.start, "canary": lambda: rollout.forced("advance", percent=33.33),
            "live": lambda: rollout.forced("promote"), "shadow again": lambda: rollout.step("rollback"),
            "aborted": lambda: rollout.step("abort"), "none": rollout.end}
    for stage, way in ways.items():
        way()
        before = everything()
        for sent in (signal.SIGTERM, signal.SIGKILL):
            server.end(sent)
            server.again()
        yield f"{stage} is there again after a restart and after a kill", (
            before == everything() and before[0]["stage"] == stage.split()[0])


def photographs_of_the_time(gallery, rollout):
    rollout.start()
    rollout.forced("advance", percent=100)
    rollout.forced("promote")
    seen = photograph()
    gallery.server.result("PUT", f"{gallery.path}/points?wait=true",
                          {"points": [{"id": 900, "vector": {"v2": see(SEES["v2"], seen)}}]})
    rollout.step("rollback")
    yield "what was photographed while the new model was live is found by the old one after a rollback", (
        gallery.query("v1", seen, limit=1)[0]["id"] == 900)
    rollout.step("abort")


def gates(server, rollout):
    rollout.start(gate={"criterion": True})
    refused = server.ask("POST", f"{rollout.path}/rollout/advance", {"percent": 5})
    yield "a bridge without a report meets no gate", (
        (refused[0], refused[1]["status"]["code"]) == (409, "gate_unmet") and rollout.now()["stage"] == "shadow")
    print(f"# {refused[1]['status']['error']}", file=sys.stderr)
    rollout.forced("advance", percent=5)
    event = rollout.events()[-1]
    yield "who goes on all the same is on record, with the figures", event["forced"] and bool(event["figures"])
    rollout.step("rollback")
    rollout.step("abort")


def drifting(gallery, rollout):
    """Of the old model: nobody is sent back to it, and nobody on."""
    canary = f"{gallery.path}/vectors/v1/canary"
    gallery.server.result("PUT", canary, {"vectors": {"a": [1] * DIM}})
    rollout.start()
    rollout.forced("advance", percent=50)
    gallery.server.result("PUT", canary, {"vectors": {"a": [-1] * DIM}})
    time.sleep(2.5)
    refused = gallery.server.ask("POST", f"{rollout.path}/rollout/promote", {})
    yield "nobody is sent back to a model that has drifted", rollout.now()["stage"] == "canary"
    yield "and nobody on while it has", (
        refused[1]["status"]["code"] == "gate_unmet" and 'drift: 1 of 1 photographs of "v1"' in refused[1]["status"]["error"])
    gallery.server.result("PUT", canary, {"vectors": {"a": [1] * DIM}})
    yield "until it is well again", rollout.step("promote")["stage"] == "live"
    rollout.step("rollback")
    rollout.step("abort")


def play(server):
    gallery = Gallery(server, "c", {m: {"size": DIM, "distance": "Cosine"} for m in SEES})
    gallery.fill(WHO)
    gallery.put("v2", "v1", {"faithful.weight": bridge("v2", "v1")}, SCALES)
    gallery.activate("v2/v1", strategy="backward", fidelity=1)
    rollout = Rollout(server, gallery.path)
    yield from embedded_again(server)
    yield from gates(server, rollout)
    yield from shares(rollout)
    yield from served(gallery, rollout)
    yield from photographs_of_the_time(gallery, rollout)
    yield from drifting(gallery, rollout)
    yield from races(server, rollout)
    yield from under_load(server, gallery, rollout)
    yield from restarts(server, rollout)


if __name__ == "__main__":
    sys.exit(tell("rollouts", play))
