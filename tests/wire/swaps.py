#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A migration over the wire by POST …/swap, on real embeddings: from an unnamed collection to a new
model, with everything missing at first and the next call said each time; stopped, cancelled, cut off by
a crash in the middle, gone on with, and watched through its rollout.

    swaps.py HEIRLOOM MODELS        MODELS: tests/data/models"""
import pathlib
import random
import signal
import struct
import sys
import time

import bridges

N_POINTS, SIZES = 1000, {"@default": 64, "v3": 128}
SWAP = "/collections/c/swap"
FIT = {"data": {"dataset": "fit"}, "kind": "anchored"}
BODY = {"from": "@default", "to": "v3", **FIT}


def fill(server, models):
    """As any client of the contract fills a collection that has one vector without a name."""
    server.result("PUT", "/collections/c", {"vectors": {"size": 64, "distance": "Cosine"}})
    _, shape, data = bridges.npy(models / "v1_test.npy")
    server.result("PUT", "/collections/c/points?wait=true", {"points": [
        {"id": i, "vector": struct.unpack_from(f"<{shape[1]}e", data, i * shape[1] * 2)} for i in range(N_POINTS)]})


def dataset(models, part):
    return bridges.tensors(("@default", models / f"v1_{part}.npy"), ("v3", models / f"v3_{part}.npy"),
                           ("labels", models / f"labels_{part}.npy"))


def post(server, body, url="?wait=true&timeout=200"):
    return server.ask("POST", SWAP + url, body)


def refusal(server, body):
    status, reply = post(server, body)
    return status, reply["status"].get("code"), reply["status"].get("error", "")


def steps(swap):
    return {step["step"]: step["state"] for step in swap["steps"]}


def step_of(swap, name):
    return next(step for step in swap["steps"] if step["step"] == name)


def call(server, next_, body=None):
    """The call that was said to be next, and its reply."""
    return server.ask(next_["method"], next_["path"], body if body is not None else next_["body"])


def state(server):
    """All that a swap may change."""
    return [server.ask("GET", "/collections/c" + path)[1].get("result") for path in
            ("", "/bridges", "/models", "/snapshots", "/rollout", "/swap")]


# ---- what is missing ----

def missing(server, models):
    none = server.result("GET", SWAP)
    yield "without a swap there is one to begin", (
        none["stage"] == "none" and none["state"] == "none" and none["next"]["path"] == SWAP)
    before = state(server)
    dry = server.result("POST", SWAP, {**BODY, "probes": "golden", "dry_run": True})
    yield "a dry run says all that is missing, and changes nothing", (
        [(b["step"], b["code"]) for b in dry["blocks"]] == [("snapshot", "not_found"), ("shadow", "not_found")] and
        dry["next"]["path"] == "/collections/c/vectors/v3" and dry["blocks"][1]["next"]["path"] ==
        "/collections/c/probes/golden" and state(server) == before)
    status, code, sentence = refusal(server, BODY)
    yield "without the new model it says the call that makes it", (
        (status, code) == (404, "not_found") and
        'PUT /collections/c/vectors/v3 {"dense":{"size":64,"distance":"Cosine"}}' in sentence)
    status, code, sentence = refusal(server, {**BODY, "to_model": {"size": 128, "distance": "Cosine"}})
    yield "or makes it itself, and says the next that is missing", (
        (status, code) == (404, "not_found") and "PUT /collections/c/datasets/fit" in sentence and
        [m["size"] for m in server.result("GET", "/collections/c/models")["models"]] == [64, 128])
    yield "a model of another size is refused", (
        refusal(server, {**BODY, "to_model": {"size": 96, "distance": "Cosine"}})[:2] == (409, "already_exists"))
    dry = server.result("POST", SWAP, {**BODY, "to_model": {"size": 96, "distance": "Cosine"}, "dry_run": True})
    yield "of a dry run too", dry["blocks"][0]["code"] == "dimension_mismatch"
    pairs = server.result("POST", SWAP, {**BODY, "data": {"pairs": "points"}, "dry_run": True})
    yield "pairs that are no points are missing too, and refresh says which to embed", (
        [b["code"] for b in pairs["blocks"]] == ["invalid", "not_found"] and
        call(server, pairs["next"])[0] == 200)
    server.result("PUT", "/collections/c/datasets/bare", bridges.tensors(
        ("@default", models / "v1_val.npy"), ("v3", models / "v3_val.npy")))
    bare = server.result("POST", SWAP, {**BODY, "data": {"dataset": "bare"}, "kind": "influence", "dry_run": True})
    yield "a kind that a judge teaches wants a head", (
        [b["code"] for b in bare["blocks"]] == ["not_found"] and
        bare["next"]["path"] == "/collections/c/vectors/%40default/head")
    yield "which can be put by that call", (
        call(server, bare["next"], (models / "v1_head.safetensors").read_bytes())[0] == 200)
    wrong = [{**BODY, "from": "v9"}, {**BODY, "to": "@default"}, {**BODY, "kind": "magic"}, {**BODY, "stop_at": "moon"},
             {**BODY, "gates": {"luck": 1}}, {"from": "@default", "to": "v3"}, {**BODY, "what": 1}]
    yield "what cannot be meant is refused", (
        [refusal(server, body)[0] for body in wrong] == [404, 422, 422, 422, 400, 400, 400])
    yield "nothing was begun", server.result("GET", SWAP)["state"] == "none"


# ---- step by step ----

def go(server, models):
    server.result("PUT", "/collections/c/datasets/fit", dataset(models, "fit"))
    dry = server.result("POST", SWAP, {**BODY, "dry_run": True})
    yield "with all that is wanted a dry run says what each step does, and that it may go", (
        dry["blocks"] == [] and [s["step"] for s in dry["steps"]] == ["snapshot", "fit", "gate", "activate", "shadow"] and
        all(s["does"] for s in dry["steps"]) and dry["next"]["body"] == BODY)
    status, reply = post(server, {**BODY, "stop_at": "fit", "gates": {"min_gain": 0.99}})
    first = reply["result"]["result"]
    yield "it stops where it is told to", (
        status == 200 and reply["result"]["kind"] == "swap" and steps(first) == {
            "snapshot": "done", "fit": "done", "gate": "not_asked", "activate": "not_asked", "shadow": "not_asked"})
    yield "there is a snapshot, and a bridge that nobody is served through", (
        step_of(first, "snapshot")["snapshot"] in [s["name"] for s in server.result("GET", "/collections/c/snapshots")] and
        server.result("GET", "/collections/c/bridges/v3/@default")["activation"]["current"] is None)
    shown = server.result("GET", SWAP)
    yield "GET says the call that goes on", (
        shown["stage"] == "fit" and shown["state"] == "done" and shown["next"]["body"] == {**BODY, "gates": {"min_gain": 0.99}})

    status, reply = call(server, {**shown["next"], "path": SWAP + "?wait=true&timeout=200"})
    shown = server.result("GET", SWAP)
    yield "it stops at a gate that is not met, with the figures", (
        (status, reply["status"]["code"]) == (409, "gate_unmet") and shown["stage"] == "gate" and
        shown["state"] == "stopped" and steps(shown)["gate"] == "blocked" and step_of(shown, "gate")["figures"] and
        shown["blocks"][0]["code"] == "gate_unmet" and shown["blocks"][0]["error"] == reply["status"]["error"])
    server.end()
    server.again()
    yield "and says so after a restart", server.result("GET", SWAP) == shown
    yield "another swap is refused until it is over, and says who began it", (
        refusal(server, {**BODY, "kind": "ridge"})[:2] == (409, "conflict"))

    status, reply = post(server, BODY)
    last = server.result("GET", SWAP)
    yield "with other gates it goes on behind what is done", (
        status == 200 and step_of(last, "fit")["revision"] == 1 and
        step_of(last, "snapshot") == step_of(first, "snapshot") and set(steps(last).values()) == {"done"})
    yield "the rollout is in shadow, and the new model reaches every point", (
        last["stage"] == "shadow" and last["state"] == "done" and last["rollout"]["number"] == 1 and
        last["coverage"] == {"points": N_POINTS, "own": 0, "reached": N_POINTS})
    before = state(server)
    status, reply = post(server, BODY)
    changed = [a for a, b in zip(state(server)[:-1], before[:-1]) if a != b]
    yield "the same again is done at once and changes nothing", status == 200 and changed == []


def take_back(server):
    """By the guard, since the new model's service embeds a photograph otherwise than before."""
    call(server, server.result("GET", SWAP)["next"])
    for vector in ([1.0] + [0.0] * 127, [0.0] * 127 + [1.0]):
        server.result("PUT", "/collections/c/vectors/v3/canary", {"vectors": {"a": vector}})
    until = time.monotonic() + 60
    while server.result("GET", SWAP)["stage"] != "shadow" and time.monotonic() < until:
        time.sleep(0.02)
    back = server.result("GET", SWAP)
    yield "taken back by the guard, the next is to read why", (
        back["stage"] == "shadow" and back["rollout"]["changed_by"] == "guard" and
        back["next"]["path"] == "/collections/c/rollout/events" and
        call(server, back["next"])[1]["result"]["events"][-1]["by"] == "guard")
    server.result("DELETE", "/collections/c/vectors/v3/canary")
    server.result("POST", "/collections/c/rollout/advance", {"percent": 5})
    server.result("POST", "/collections/c/rollout/rollback", {})


def roll_out(server):
    yield from take_back(server)
    for stage in ("canary", "live"):
        next_ = server.result("GET", SWAP)["next"]
        status, reply = call(server, next_)
        now = server.result("GET", SWAP)
        yield f"the call that GET names leads to {stage}", (
            status == 200 and now["stage"] == stage and now["rollout"]["stage"] == stage)
    now = server.result("GET", SWAP)
    yield "live, the next is to embed what the new model has not seen", (
        now["next"]["path"] == "/collections/c/refresh" and call(server, now["next"])[0] == 200)
    yield "under a rollout the bridge is not learnt anew", (
        refusal(server, {**BODY, "anew": True})[:2] == (409, "conflict"))
    other = server.result("POST", SWAP, {**BODY, "to": "v4", "to_model": {"size": 8, "distance": "Cosine"},
                                         "dry_run": True})
    yield "nor does another one begin beside it", "illegal_step" in [b["code"] for b in other["blocks"]]
    server.result("POST", "/collections/c/rollout/rollback", {})
    yield "taken back it is in shadow again", server.result("GET", SWAP)["stage"] == "shadow"
    server.result("POST", "/collections/c/rollout/abort", {})
    aborted = server.result("GET", SWAP)
    status, reply = call(server, {**aborted["next"], "path": SWAP + "?wait=true&timeout=200"})
    yield "aborted, the same body begins another rollout", (
        aborted["stage"] == "aborted" and status == 200 and server.result("GET", SWAP)["rollout"]["number"] == 2)
    for method, path in (("POST", "/advance"), ("POST", "/promote"), ("DELETE", "")):
        server.result(method, "/collections/c/rollout" + path, {"percent": 50} if path == "/advance" else None)
    ended = server.result("GET", SWAP)
    yield "ended, nothing is next", ended["stage"] == "ended" and ended["next"] is None


# ---- probes ----

def rows(models, name, n):
    _, shape, data = bridges.npy(models / name)
    return [struct.unpack_from(f"<{shape[1]}e", data, i * shape[1] * 2) for i in range(n)]


def put_probes(server, models, of_new):
    """Photographs that must find themselves; `of_new` says whose vector of the new model each query has."""
    old, new = rows(models, "v1_test.npy", 300), rows(models, "v3_test.npy", 300)
    server.result("PUT", "/collections/c/probes/golden", {"k": 10, "flip_at": 10, "queries": [
        {"vectors": {"@default": old[i], "v3": new[of_new(i)]}, "relevant": [i]} for i in range(300)]})


def probe(server, models):
    body = {**BODY, "kind": "ridge", "to_model": {"size": 128, "distance": "Cosine"}, "probes": "golden",
            "gates": {"max_negative_flips": 0.9}}
    server.result("PUT", "/collections/c/vectors/v3", {"dense": {"size": 128, "distance": "Cosine"}})
    server.result("PUT", "/collections/c/datasets/fit", dataset(models, "fit"))
    put_probes(server, models, lambda i: (i + 150) % 300)  # of another photograph
    status, reply = post(server, body)
    shown = server.result("GET", SWAP)
    figures = step_of(shown, "gate")["figures"]
    yield "probes that the new model loses stop it before the rollout, with the figures", (
        (status, reply["status"]["code"]) == (409, "gate_unmet") and shown["stage"] == "shadow" and
        shown["blocks"][0]["step"] == "shadow" and figures["probes"]["judged"] == 300 and
        server.result("GET", "/collections/c/rollout")["stage"] == "none")
    yield "the bridge serves, which moves nobody", (
        steps(shown)["activate"] == "done" and shown["coverage"]["reached"] == N_POINTS)
    put_probes(server, models, lambda i: i)
    status, reply = post(server, body)
    shown = server.result("GET", SWAP)
    yield "with the right ones it goes on behind what is done", (
        status == 200 and set(steps(shown).values()) == {"done"} and step_of(shown, "fit")["revision"] == 1 and
        server.result("GET", "/collections/c/rollout")["probes"] == "golden")
    server.result("DELETE", "/collections/c")


# ---- cut off ----

def interrupt(server):
    body = {**BODY, "kind": "auto", "stop_at": "activate"}
    job = server.result("POST", SWAP, body)["id"]
    again = server.result("POST", SWAP, body)["id"]
    yield "the same body while it runs is the same job", job == again
    yield "another body is not", refusal(server, {**body, "seed": 2})[:2] == (409, "conflict")
    until = time.monotonic() + 60
    while not server.job(job)["phase"].startswith("fit: ") and time.monotonic() < until:
        time.sleep(0.02)
    running = server.result("GET", SWAP)
    yield "GET follows the job", (
        running["state"] == "running" and running["stage"] == "fit" and running["job"]["id"] == job and
        running["next"] and running["next"]["path"] == f"/jobs/{job}")
    server.result("DELETE", f"/jobs/{job}")
    server.await_state(job, "cancelled")
    stopped = server.result("GET", SWAP)
    yield "cancelled, it is stopped where it was, and its body goes on", (
        stopped["state"] == "stopped" and stopped["stage"] == "fit" and stopped["next"]["body"] == body and
        stopped["blocks"] == [])
    snapshot = step_of(stopped, "snapshot")["snapshot"]
    draw, kills = random.Random(1), 0
    for _ in range(6):
        job = server.result("POST", SWAP, body)["id"]
        time.sleep(draw.uniform(0, 2))
        ended = server.job(job)["state"] == "done"
        server.end(signal.SIGKILL)
        server.again()
        kills += not ended
        shown = server.result("GET", SWAP)
        if ended or shown["state"] != "stopped" or shown["next"]["body"] != body:
            break
    yield "killed at any moment, it is stopped where it was, and its body goes on", (
        ended or (shown["state"] == "stopped" and shown["next"]["body"] == body)) and kills > 0
    status, _ = post(server, {**body, "kind": "anchored", "anew": True})
    over = server.result("GET", SWAP)
    yield "another body may be begun in its place", (
        status == 200 and set(list(steps(over).values())[:4]) == {"done"} and
        step_of(over, "snapshot")["snapshot"] != snapshot)


def play(server, models):
    fill(server, models)
    yield from probe(server, models)
    fill(server, models)
    yield from missing(server, models)
    yield from go(server, models)
    yield from roll_out(server)
    yield from interrupt(server)


if __name__ == "__main__":
    sys.exit(bridges.tell("swaps", lambda server: play(server, pathlib.Path(sys.argv[2]) / "fashion")))
