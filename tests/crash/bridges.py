#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The server killed while it begins and ends to serve through bridges, again and again.

    bridges.py SEED CYCLES HEIRLOOM [POINTS]

Each cycle asks for an activation, another revision, another strategy or the end of one, writes a few
points meanwhile and sends SIGKILL, mostly in the middle. What is active after the start must be what
was before or what was asked for. Then queries of every model look at every point: whom they find,
where, and by which image, to be compared with images worked out here from the bridges' files. At the end it is killed, and
disks fail, in each step of an activation in turn: in every sync, from 100 cycles on in every write."""
import contextlib
import glob
import http.client
import json
import math
import os
import random
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

SIZES = {"v1": 6, "v2": 8, "v3": 10}
PAIRS = [("v2", "v1"), ("v3", "v2"), ("v3", "v1"), ("v1", "v3")]
START_LIMIT_S, ASK_LIMIT_S = 60, 60
NEAR = 2e-5  # scores of floats


class Server:
    def __init__(self, program, directory):
        self.program, self.directory, self.n_starts = program, directory, 0
        self.start()

    def start(self, failpoint=None):
        """Whether it came up: with a failpoint it may not, without one it must."""
        self.n_starts += 1
        path = os.path.join(self.directory, f"log{self.n_starts}")
        env = {k: v for k, v in os.environ.items() if not k.startswith("HEIRLOOM")}
        env["HEIRLOOM__SEARCH__SEAL_ROWS"] = "128"
        if failpoint:
            env["HEIRLOOM_FAILPOINTS"] = failpoint
        with open(path, "w") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--port", "0", "--data", os.path.join(self.directory, "data")],
                stderr=log, stdout=log, env=env)
        until = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until and self.process.poll() is None:
            with open(path) as log:
                found = re.search(r"event=listening .*port=(\d+).*\n", log.read())
            if found:
                self.port = int(found.group(1))
                return True
            time.sleep(0.005)
        if failpoint:
            return False
        with open(path) as log:
            raise AssertionError(f"the server did not start: {log.read()}")

    def end(self, sent):
        self.process.send_signal(sent)
        return self.process.wait(60)

    def ask(self, method, path, body=None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ASK_LIMIT_S) as reply:
                return json.loads(reply.read())["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path} answered {error.code}: {error.read()}") from error


# ---- what should be there ----

def unit(vector):
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector]


def through(weight, vector):
    return unit([sum(w * x for w, x in zip(row, vector)) for row in weight])


def product(a, b):
    return sum(x * y for x, y in zip(a, b))


class Gallery:
    """Points and bridges, and what is active: pair -> (revision, strategy)."""

    def __init__(self, draw, n_points):
        self.draw, self.points, self.weights, self.active = draw, {}, {}, {}
        self.n_points = n_points

    def new_point(self):
        names = self.draw.choice([["v1"], ["v2"], ["v3"], ["v1", "v2"], ["v2", "v3"], ["v1", "v2", "v3"]])
        return {name: unit([self.draw.gauss(0, 1) for _ in range(SIZES[name])]) for name in names}

    def path(self, start, end):
        """Pairs and revisions: over a bridge, else over the newest model."""
        if (start, end) in self.active:
            return [((start, end), self.active[start, end][0])]
        for middle in sorted(SIZES, reverse=True):
            if (start, middle) in self.active and (middle, end) in self.active and start != end:
                return [((start, middle), self.active[start, middle][0]),
                        ((middle, end), self.active[middle, end][0])]
        return None

    def carried(self, vector, path):
        for pair, revision in path:
            vector = through(self.weights[pair][revision - 1], vector)
        return vector

    def row(self, vectors, space):
        """The one row of a point in a space, and whose it is."""
        if space in vectors:
            return space, vectors[space]
        ways = [(len(path), name, path) for name in sorted(vectors, reverse=True)
                if (path := self.path(name, space))]
        if not ways:
            return None
        best = min(ways, key=lambda way: way[0])  # of equal ones the first: the newest
        return best[1], self.carried(vectors[best[1]], best[2])


def bfloat(value):
    """What is mapped goes through weights of eight bits: with these nothing is rounded, and scores are those
    of floats."""
    return struct.unpack("<f", b"\0\0" + struct.pack("<f", value)[2:])[0]


def bridge_file(pair, weight, prints):
    values = b"".join(struct.pack(f"<{len(row)}f", *row) for row in weight)
    head = json.dumps({"__metadata__": {"format_version": "1", "from": pair[0], "to": pair[1], "from_fingerprint": prints[pair[0]],
                                        "to_fingerprint": prints[pair[1]]},
                       "faithful.weight": {"dtype": "F32", "shape": [len(weight), len(weight[0])],
                                           "data_offsets": [0, len(values)]}}).encode()
    return struct.pack("<Q", len(head)) + head + values


def make(server, gallery):
    draw = gallery.draw
    server.ask("PUT", "/collections/c", {
        "vectors": {name: {"size": size, "distance": "Cosine"} for name, size in SIZES.items()}})
    prints = {m["name"]: m["fingerprint"] for m in server.ask("GET", "/collections/c/models")["models"]}
    for pair in PAIRS:
        gallery.weights[pair] = []
        for _ in range(2):
            weight = [[bfloat(draw.gauss(0, 1)) for _ in range(SIZES[pair[0]])] for _ in range(SIZES[pair[1]])]
            gallery.weights[pair].append(weight)
            server.ask("PUT", f"/collections/c/bridges/{pair[0]}/{pair[1]}", bridge_file(pair, weight, prints))
    write(server, gallery, range(1, gallery.n_points + 1))


def write(server, gallery, ids):
    points = {number: gallery.new_point() for number in ids}
    server.ask("PUT", "/collections/c/points?wait=true",
               {"points": [{"id": number, "vector": vectors} for number, vectors in points.items()]})
    gallery.points.update(points)


# ---- looking ----

def what_is_active(server):
    active = {}
    for pair in PAIRS:
        current = server.ask("GET", f"/collections/c/bridges/{pair[0]}/{pair[1]}")["activation"]["current"]
        if current:
            active[pair] = (current["revision"], current["strategy"])
    return active


def check_hits(gallery, name, query, reply):
    """What is wrong with an answer that should hold every point there is a way to."""
    legs = reply["explain"]["plan"]["legs"] if reply["explain"]["plan"] else []
    wrong, reached = [], {}
    for leg in legs:
        path = [((hop["from"], hop["to"]), hop["revision"]) for hop in leg["through"] or []]
        if path != (gallery.path(name, leg["space"]) or []):
            wrong.append(f"a query of {name} went to {leg['space']} through {path}")
        at = gallery.carried(query, path)
        for number, vectors in gallery.points.items():
            row = gallery.row(vectors, leg["space"])
            if row and number not in reached and row[0] in leg["shelves"]:
                reached[number] = (leg["space"], row[0], product(at, row[1]))
    if not legs:
        reached = {number: (name, name, product(query, vectors[name]))
                   for number, vectors in gallery.points.items() if name in vectors}
    found = {}
    for point, hit in zip(reply["points"], reply["explain"]["hits"]):
        space = legs[hit["leg"]]["space"] if legs else name
        if point["id"] in found:
            wrong.append(f"{point['id']} was found twice")
        found[point["id"]] = (space, hit["shelf"], hit["raw"])
    if found.keys() != reached.keys():
        wrong.append(f"of {name}: {len(found)} found, {len(reached)} wanted, "
                     f"such as {sorted(found.keys() ^ reached.keys())[:5]}")
    for number in found.keys() & reached.keys():
        if found[number][:2] != reached[number][:2] or abs(found[number][2] - reached[number][2]) > NEAR:
            wrong.append(f"of {name}: {number} is {found[number]}, not {reached[number]}")
            break
    return wrong


def check(server, gallery):
    wrong = []
    for name, size in SIZES.items():
        query = unit([gallery.draw.gauss(0, 1) for _ in range(size)])
        reply = server.ask("POST", "/collections/c/points/query", {
            "query": query, "using": name, "limit": 10 * gallery.n_points,
            "params": {"exact": True, "explain": True, "fidelity": 1}})
        wrong += check_hits(gallery, name, query, reply)
    return wrong


# ---- step by step ----

def step(server, gallery, failpoint):
    """What is wrong, whether the failpoint was never come to, whether nothing changed."""
    pair, before = ("v2", "v1"), dict(gallery.active)
    wanted = (2 if before.get(pair, (1,))[0] == 1 else 1, "backward")
    after = before | {pair: wanted}
    server.end(signal.SIGTERM)
    is_over = False
    if server.start(failpoint):
        try:
            job = server.ask("POST", "/collections/c/bridges/v2/v1/activate?wait=true&timeout=60",
                             {"revision": wanted[0], "strategy": wanted[1]})
            is_over = job["state"] == "done"
        except (AssertionError, OSError, http.client.HTTPException):
            pass  # it died, or said that it could not
    is_over = server.end(signal.SIGTERM) == 0 and is_over
    server.start()
    gallery.active = what_is_active(server)
    wrong = [] if gallery.active in (before, after) else [f"active is {gallery.active}, asked for {after}"]
    return wrong + check(server, gallery), is_over, gallery.active == before


def in_every_step(server, gallery, place, action):
    """Fails at the first passage of a place, the second, until it is over before. What fails a sync that
    is nobody's answer (of a job's progress, at the end) leaves it done: so three times in a row."""
    findings, n_over, number, n_before = [], 0, 0, 0
    while n_over < 3 and number < 200:
        number += 1
        wrong, is_over, was_before = step(server, gallery, f"{place}={number}:{action}")
        n_before += was_before
        n_over = n_over + 1 if is_over else 0
        findings += [f"{place}={number}:{action}: {what}" for what in wrong]
    return findings, number, n_before


# ---- one cycle ----

def draw_change(gallery):
    """A pair and what is asked of it; None: no more."""
    draw = gallery.draw
    pair = draw.choice(PAIRS)
    if pair in gallery.active and draw.random() < 0.4:
        return pair, None
    strategy = "forward" if pair == ("v1", "v3") else "backward"
    return pair, (draw.choice([1, 2]), draw.choice([strategy, "auto" if strategy == "backward" else "forward"]))


def cycle(server, gallery, longest_s):
    """What is wrong, whether it was killed in time, and how long a whole change took."""
    draw, (pair, wanted) = gallery.draw, draw_change(gallery)
    before = dict(gallery.active)
    after = {key: value for key, value in before.items() if key != pair} | ({pair: wanted} if wanted else {})
    call = f"/collections/c/bridges/{pair[0]}/{pair[1]}/" + ("activate" if wanted else "deactivate")
    began = time.monotonic()
    is_killed = draw.random() < 0.8
    job = server.ask("POST", call + ("" if is_killed else "?wait=true&timeout=60"),
                     {"revision": wanted[0], "strategy": wanted[1]} if wanted else None)
    took_s = time.monotonic() - began
    if is_killed:
        at = time.monotonic() + draw.uniform(0, longest_s)
        while time.monotonic() < at:
            write(server, gallery, draw.sample(range(1, gallery.n_points + 50), 5))
            time.sleep(max(0, min(0.02, at - time.monotonic())))
        server.end(signal.SIGKILL)
        server.start()
    gallery.active = what_is_active(server)
    wrong = []
    if not is_killed and job["state"] != "done":
        wrong.append(f"the job is {job}")
    if gallery.active not in ([before, after] if is_killed else [after]):
        wrong.append(f"active is {gallery.active}, before it was {before}, asked for {after}")
    wrong += check(server, gallery)
    return wrong, before != after and gallery.active == before, 0 if is_killed else took_s


def change_again_and_again(server, gallery):
    """Without a pause, so that nobody cleans up in between but who makes the next images."""
    for pair in list(gallery.active):
        server.ask("POST", f"/collections/c/bridges/{pair[0]}/{pair[1]}/deactivate?wait=true&timeout=60")
    for number in range(30):
        server.ask("POST", "/collections/c/bridges/v2/v1/activate?wait=true&timeout=60", {"revision": 1 + number % 2})


def count_spaces(directory):
    """Of the store: those of the models, of images, and of images that went and are not cleaned away."""
    path, = glob.glob(f"{directory}/data/collections/*/points.db")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
        return store.execute("select count(*) from spaces").fetchone()[0]


def main():
    seed, n_cycles, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    n_points = int(sys.argv[4]) if len(sys.argv) > 4 else 1500
    findings, steps, n_before, longest_s = [], [], 0, 0.05
    with tempfile.TemporaryDirectory(prefix="heirloom-crash-bridges-") as directory:
        gallery, server = Gallery(random.Random(seed), n_points), Server(program, directory)
        try:
            make(server, gallery)
            for number in range(n_cycles):
                wrong, was_before, took_s = cycle(server, gallery, longest_s)
                longest_s = max(longest_s, took_s)
                n_before += was_before
                findings += [f"cycle {number}: {what}" for what in wrong]
            for place in ("file.sync", "file.write") if n_cycles >= 100 else ("file.sync",):
                for action in ("kill", "fail"):
                    wrong, n, n_kept = in_every_step(server, gallery, place, action)
                    findings += wrong
                    n_before += n_kept
                    steps.append(f"{n} of {place}:{action}")
            change_again_and_again(server, gallery)
        finally:
            ended = server.end(signal.SIGTERM)
        n_spaces = count_spaces(directory)
    print("TAP version 13\n1..4")
    for finding in findings[:20]:
        print("#", finding)
    print(f"# steps: {', '.join(steps)}")
    print(f"# {n_cycles} cycles and the steps: {n_before} left the state before, the longest change took {longest_s:.2f} s")
    print("ok" if not findings else "not ok", "1 - after a kill the state is the one before or the one after")
    print("ok" if n_before > 0 else "not ok", "2 - some kills came before the end")
    print("ok" if ended == 0 else "not ok", "3 - the server stops with status 0")
    print("ok" if n_spaces <= 6 else "not ok", f"4 - what former images left goes: {n_spaces} spaces are there")
    print(f"# count={n_cycles} findings={len(findings)}")
    return bool(findings) or ended != 0 or n_spaces > 6


if __name__ == "__main__":
    sys.exit(main())
