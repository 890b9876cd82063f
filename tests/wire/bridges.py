#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bridges over the wire, on real embeddings: learnt from datasets and from the gallery, judged, kept
through restarts and snapshots, cancelled, and lost in a crash with a sentence.

    bridges.py HEIRLOOM MODELS        MODELS: tests/data/models"""
import json
import pathlib
import signal
import struct
import sys
import tempfile
import time
import urllib.error
import urllib.request

import openapi

SIZES = {"v1": 64, "v2": 96, "v3": 128}
TYPES = {"<f2": "F16", "<i2": "I16"}
LIMIT_S = 240


class Server:
    def __init__(self, program, directory):
        self.program, self.directory = program, directory
        self.process, self.port = openapi.start(program, directory)

    def end(self, with_signal=signal.SIGTERM):
        self.process.send_signal(with_signal)
        return self.process.wait(60)

    def again(self):
        self.process, self.port = openapi.start(self.program, self.directory)

    def ask(self, method, path, body=None):
        """The status and the reply: JSON where it is, else bytes."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as reply:
                status, body, kind = reply.status, reply.read(), reply.headers.get_content_type()
        except urllib.error.HTTPError as error:
            status, body, kind = error.code, error.read(), error.headers.get_content_type()
        return status, json.loads(body) if kind == "application/json" else body

    def result(self, method, path, body=None):
        status, reply = self.ask(method, path, body)
        if status not in (200, 202):
            raise AssertionError(f"{method} {path} answered {status}: {reply}")
        return reply["result"]

    def learn(self, pair, body, url="?wait=true&timeout=200"):
        return self.result("POST", f"/collections/c/bridges/{pair}{url}", body)

    def activate(self, pair, body=None, collection="c"):
        return self.result("POST", f"/collections/{collection}/bridges/{pair}/activate?wait=true&timeout=200", body)

    def job(self, number):
        return self.result("GET", f"/jobs/{number}")

    def await_state(self, number, *states):
        until = time.monotonic() + LIMIT_S
        while self.job(number)["state"] not in states and time.monotonic() < until:
            time.sleep(0.02)
        return self.job(number)


def npy(path):
    bytes_ = path.read_bytes()
    size = struct.unpack("<H", bytes_[8:10])[0]
    head = bytes_[10:10 + size].decode()
    shape = [int(n) for n in head.split("'shape': (")[1].split(")")[0].split(",") if n.strip()]
    return head.split("'descr': '")[1].split("'")[0], shape, bytes_[10 + size:]


def tensors(*files):
    """(name, path) each, as safetensors."""
    head, data = {}, b""
    for name, path in files:
        kind, shape, values = npy(path)
        head[name] = {"dtype": TYPES[kind], "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


def prepare(server, models):
    server.result("PUT", "/collections/c", {
        "vectors": {name: {"size": size, "distance": "Cosine"} for name, size in SIZES.items()}})
    for name in SIZES:
        server.result("PUT", f"/collections/c/vectors/{name}/head",
                      (models / f"{name}_head.safetensors").read_bytes())
    for part in ("fit", "val", "test"):
        server.result("PUT", f"/collections/c/datasets/{part}", tensors(
            *((name, models / f"{name}_{part}.npy") for name in SIZES), ("labels", models / f"labels_{part}.npy")))


def fill(server, models, n):
    """Points that carry two models' vectors, and what is on them: a text for some, a number for others."""
    vectors = {}
    for name in ("v1", "v3"):
        _, shape, data = npy(models / f"{name}_fit.npy")
        vectors[name] = [struct.unpack_from(f"<{shape[1]}e", data, i * shape[1] * 2) for i in range(n)]
    _, shape, data = npy(models / "labels_fit.npy")
    labels = struct.unpack_from(f"<{n}h", data)
    server.result("PUT", "/collections/c/points?wait=true", {"points": [
        {"id": i, "vector": {name: rows[i] for name, rows in vectors.items()},
         "payload": {"on": {"it": labels[i] if i % 2 else str(labels[i])}}} for i in range(n)]})
    server.result("PUT", "/collections/c/points?wait=true", {"points": [
        {"id": n + 1, "vector": {"v1": vectors["v1"][0]}, "payload": {"on": {"it": 1.5}}}]})


def value(report, *path):
    at = report["measured"]
    for name in path:
        at = at[name]
    return at["value"]


def learn(server):
    job = server.learn("v3/v1", {"data": {"dataset": "fit"}, "choose": {"dataset": "val"},
                                 "report": {"dataset": "test"}, "kind": "anchored"})
    bridge = job["result"]
    yield "a bridge is learnt, and its job says so", (
        job["state"] == "done" and job["progress"] == 1 and bridge["revision"] == 1 and
        bridge["kind"] == "anchored" and bridge["learnt"] == "here")
    report = bridge["report"]
    yield "it finds more in the old gallery than the old model did", (
        value(report, "groups", "all", "new_old", "map") > value(report, "groups", "all", "old_old", "map") + 0.03)
    shas = {i["name"]: i["sha256"] for i in report["inputs"]}
    stored = {d["name"]: d["sha256"] for d in server.result("GET", "/collections/c/datasets")["datasets"]}
    yield "the report says what it was made of", (
        all(shas[name] == stored[name] for name in stored) and "head of v1" in shas)

    status, file = server.ask("GET", "/collections/c/bridges/v3/v1?format=safetensors")
    put = server.result("PUT", "/collections/c/bridges/v3/v1", file)
    yield "what is downloaded can be put again, as the next revision", (
        status == 200 and put["revision"] == 2 and put["learnt"] == "elsewhere" and put["sha256"] == bridge["sha256"])
    yield "it is refused for another direction", (
        server.ask("PUT", "/collections/c/bridges/v1/v3", file)[0] == 409 and
        server.ask("PUT", "/collections/c/bridges/v2/v1", file)[0] == 409)
    server.result("PUT", "/collections/d", {"vectors": {"v1": {"size": 64, "distance": "Dot"},
                                                        "v3": {"size": 128, "distance": "Cosine"}}})
    yield "it is refused for another model of the same name and size", (
        server.ask("PUT", "/collections/d/bridges/v3/v1", file)[0] == 409)

    judged = server.result("POST", "/collections/c/bridges/v3/v1/evaluate?wait=true&timeout=200",
                           {"dataset": "test", "revision": 1})["result"]
    yield "judged again on the same rows it is as good as its report says", (
        judged["revisions"] == [1] and not judged["was_learnt_from"] and
        value(judged["report"], "groups", "all", "new_old", "map") ==
        value(report, "groups", "all", "new_old", "map"))
    judged = server.result("POST", "/collections/c/bridges/v3/v1/evaluate?wait=true&timeout=200",
                           {"dataset": "fit", "revision": 1})["result"]
    yield "judged on what it was learnt from it says so", judged["was_learnt_from"]
    server.learn("v3/v2", {"data": {"dataset": "fit"}, "kind": "ridge"})
    server.learn("v2/v1", {"data": {"dataset": "fit"}, "kind": "ridge"})
    chain = server.result("POST", "/collections/c/bridges/v3/v1/evaluate?wait=true&timeout=200",
                          {"dataset": "test", "through": "v2"})["result"]
    yield "a chain of two is judged as a whole", (
        chain["through"] == "v2" and chain["revisions"] == [1, 1] and
        value(chain["report"], "groups", "all", "new_old", "top1") > 0.5)


def from_gallery(server, models):
    fill(server, models, 1200)
    job = server.learn("v3/v1", {"data": {"pairs": "points", "limit": 600}, "kind": "ridge"})
    yield "points that carry both vectors teach a bridge, so many as are wanted", (
        sum(job["result"]["report"]["rows"][name] for name in ("fit", "choose", "report")) == 600)
    job = server.learn("v3/v1", {"data": {"pairs": "points", "label": "payload.on.it"}, "kind": "anchored"})
    yield "with a label they are labelled pairs", (
        job["result"]["report"]["case"].startswith("labelled pairs") and
        value(job["result"]["report"], "groups", "all", "new_old", "top1") > 0.5)
    job = server.learn("v3/v1", {"data": {"items": "points", "label": "payload.on.it"}, "kind": "anchored",
                                 "report": {"dataset": "test"}})
    yield "labelled points of either model teach one without pairs", (
        "old items" in job["result"]["report"]["case"] and
        value(job["result"]["report"], "groups", "all", "new_old", "top1") > 0.5)


def keep(server):
    first = server.activate("v3/v1", {"revision": 2, "strategy": "backward"})
    again = server.activate("v3/v1", {"revision": 2, "strategy": "backward"})
    yield "an activation is a job, and done at once when it is so already", (
        first["kind"] == "activate" and first["state"] == "done" and first["result"]["plan"] == 1 and
        first["result"]["current"]["serving"] == "backward" and again["result"] == first["result"])
    second = server.activate("v3/v1", {"fidelity": 0.25})["result"]
    yield "an activation keeps the one before", (
        second["current"]["revision"] == 5 and second["current"]["fidelity"] == 0.25 and second["plan"] == 2 and
        second["previous"]["revision"] == 2 and second["previous"]["strategy"] == "backward")
    models = {m["name"]: m["reaches"] for m in server.result("GET", "/collections/c/models")["models"]}
    yield "models say what they reach, and over which bridge", (
        models["v3"] == {"points": 1201, "strategy": "backward" if second["current"]["serving"] == "backward" else "dual",
                         "legs": models["v3"]["legs"]} and
        models["v3"]["legs"][-1]["through"] == [{"from": "v3", "to": "v1", "revision": 5}] and
        models["v1"]["points"] == 1201 and models["v1"]["strategy"] is None and
        models["v2"] == {"points": 0, "strategy": None, "legs": [{"space": "v2", "through": [], "models": ["v2"]}]})
    yield "it warns of what was never measured", any("text" in sentence for sentence in second["warnings"])
    yield "what is active is not deleted", (
        server.ask("DELETE", "/collections/c/bridges/v3/v1")[0] == 409 and
        server.ask("DELETE", "/collections/c/bridges/v3/v1?revision=5")[0] == 409 and
        server.ask("DELETE", "/collections/c/bridges/v3/v1?revision=3")[0] == 200)
    shown = server.result("GET", "/collections/c/bridges/v3/v1")
    jobs = server.result("GET", "/jobs")
    server.end()
    server.again()
    yield "bridges, activations and jobs are the same after a restart", (
        server.result("GET", "/collections/c/bridges/v3/v1") == shown and server.result("GET", "/jobs") == jobs)

    name = server.result("POST", "/collections/c/snapshots")["name"]
    place = f"file://{server.directory}/data/snapshots/c/{name}"
    server.result("PUT", "/collections/again/snapshots/recover", {"location": place})
    head = server.ask("GET", "/collections/c/vectors/v1/head")[1]
    yield "a snapshot has heads, bridges and activations, and no datasets", (
        server.result("GET", "/collections/again/bridges/v3/v1") == shown and
        server.ask("GET", "/collections/again/vectors/v1/head")[1] == head and
        server.result("GET", "/collections/again/datasets")["datasets"] == [])

    yield "a model of an active bridge stays", (
        server.ask("DELETE", "/collections/again/vectors/v3")[0] == 409 and
        server.result("GET", "/collections/again/bridges/v3/v1") == shown)

    server.result("DELETE", "/collections/again/bridges/v3/v1?revision=2")
    active = server.result("GET", "/collections/again/bridges/v3/v1")["activation"]
    yield "what was active before is forgotten with its revision", (
        active["current"]["revision"] == 5 and active["previous"] is None)

    server.result("DELETE", "/collections/again/vectors/v2")
    pairs = {(b["from"], b["to"]): b["revision"] for b in server.result("GET", "/collections/again/bridges")["bridges"]}
    yield "a model takes its bridges along and leaves the others", pairs == {("v1", "v3"): None, ("v3", "v1"): 5}
    server.result("PUT", "/collections/again/vectors/v2", {"dense": {"size": 96, "distance": "Cosine"}})
    yield "another of its name inherits nothing", (
        server.ask("GET", "/collections/again/bridges/v3/v2")[0] == 404 and
        server.ask("GET", "/collections/again/vectors/v2/head")[0] == 404)


def interrupt(server):
    order = {"data": {"dataset": "fit"}, "kind": "auto"}
    first = server.learn("v3/v2", order, "")["id"]
    waits = server.learn("v3/v2", order, "")["id"]
    server.await_state(first, "running")
    query = {"query": [1.0] * 64, "using": "v1", "limit": 3}
    yield "searches are answered while a job runs, and others wait", (
        server.ask("POST", "/collections/c/points/query", query)[0] == 200 and
        server.job(waits)["state"] == "queued")
    changed = server.activate("v3/v1", {"fidelity": 0.75})
    yield "what is served changes while a fit goes on", (
        changed["state"] == "done" and server.job(first)["state"] == "running")
    status, reply = server.ask("POST", "/collections/c/bridges/v2/v1/evaluate?wait=true&timeout=1", {"dataset": "val"})
    yield "who waits only so long is told how far it is", status == 202 and reply["result"]["state"] == "queued"
    server.result("DELETE", f"/jobs/{waits}")
    server.result("DELETE", f"/jobs/{first}")
    ended = server.await_state(first, "cancelled", "done")
    yield "what runs ends when it is cancelled, what waits at once", (
        ended["state"] == "cancelled" and server.job(waits)["state"] == "cancelled")

    for how, sent in (("crash", signal.SIGKILL), ("stop", signal.SIGTERM)):
        first = server.learn("v3/v2", order, "")["id"]
        waits = server.learn("v3/v2", order, "")["id"]
        server.await_state(first, "running")
        server.end(sent)
        server.again()
        yield f"what a {how} cut off has failed at the next start", all(
            server.job(number)["state"] == "failed" and "send it again" in server.job(number)["error"]["error"]
            for number in (first, waits))
    latest = server.result("GET", "/collections/c/bridges/v3/v2")["revision"]
    yield "none of them left a bridge", latest == 1


def play(server, models):
    prepare(server, models)
    yield from learn(server)
    yield from from_gallery(server, models)
    yield from keep(server)
    yield from interrupt(server)


def tell(folder, play):
    """Plays on a server of its own in a folder of that name, and says in TAP how it went: the exit status."""
    with tempfile.TemporaryDirectory(prefix=f"heirloom-{folder}-") as directory:
        server = Server(sys.argv[1], directory)
        try:
            results = list(play(server))
        finally:
            ended = server.end()
    results.append(("the server stops with status 0", ended == 0))
    print(f"TAP version 13\n1..{len(results)}")
    for i, (what, is_so) in enumerate(results, 1):
        print(f"{'ok' if is_so else 'not ok'} {i} - {what}")
    return int(not all(is_so for _, is_so in results))


if __name__ == "__main__":
    sys.exit(tell("bridges", lambda server: play(server, pathlib.Path(sys.argv[2]) / "fashion")))
