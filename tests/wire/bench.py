#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""heirloom bench against a real server: every form and kind, what it counts, and a server that stalls.

    bench.py HEIRLOOM"""
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time

import bridges

N_POINTS, SIZE, LIMIT_S = 300, 24, 120
SHORT = ("--seconds", "0.4", "--warm-up", "0.1")
STALL_S = 0.6


def row(draw):
    return [draw.gauss(0, 1) for _ in range(SIZE)]


def fill(server, draw):
    server.result("PUT", "/collections/c", {"vectors": {"size": SIZE, "distance": "Cosine"}})
    server.result("PUT", "/collections/named", {"vectors": {
        "a.b": {"size": SIZE, "distance": "Dot"}, "empty": {"size": 5, "distance": "Euclid"}}})
    for name in ("c", "named"):
        server.result("PUT", f"/collections/{name}/points?wait=true", {"points": [
            {"id": i if i % 2 else f"00000000-0000-0000-0000-{i:012}", "payload": {"n": i},
             "vector": row(draw) if name == "c" else {"a.b": row(draw)}} for i in range(N_POINTS)]})


def write_npy(path, rows):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {SIZE}), }}".ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        for values in rows:
            file.write(struct.pack(f"<{SIZE}f", *values))


class Bench:
    def __init__(self, server):
        self.server = server

    def run(self, *words, collection="c"):
        """What it printed, what it said beside, and its status."""
        done = subprocess.run([self.server.program, "bench", "--collection", collection, "--url",
                               f"http://127.0.0.1:{self.server.port}", *words],
                              capture_output=True, text=True, timeout=LIMIT_S)
        return done.stdout, done.stderr, done.returncode

    def json(self, *words, collection="c"):
        out, err, status = self.run(*words, "--json", "-", collection=collection)
        assert out, f"{words}: {status}: {err}"
        return json.loads(out), status


def is_sound(seen, status):
    """No failure, and figures that fit each other."""
    latency, kinds = seen["latency_us"], seen["kinds"].values()
    return (status == 0 and seen["failed"] == 0 and seen["errors"] == [] and seen["requests"] > 0 and seen["rate"] > 0 and
            0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p999"] <= latency["max"] and
            seen["requests"] == sum(kind["requests"] for kind in kinds))


def forms(bench, folder):
    for form in ("json", "base64", "raw"):
        seen, status = bench.json("--form", form, *SHORT)
        yield f"searches as {form} are all answered", (
            is_sound(seen, status) and seen["settings"]["form"] == form and seen["settings"]["queries"] == "gallery" and
            seen["settings"]["n_queries"] == N_POINTS)
    for words in (("--exact",), ("--ef", "40", "--limit", "3"), ("--with-payload",), ("--form", "raw", "--exact", "--ef", "9"),
                  ("--filter", '{"must":[{"key":"n","range":{"lt":50}}]}')):
        yield f"so are searches with {' '.join(words)}", is_sound(*bench.json(*words, *SHORT))
    seen, status = bench.json("--using", "a.b", *SHORT, collection="named")
    yield "and those of a model by its name", is_sound(seen, status) and seen["settings"]["queries"] == "gallery"
    seen, status = bench.json("--using", "empty", "--pool", "7", *SHORT, collection="named")
    yield "of a model without vectors the queries are chance", (
        is_sound(seen, status) and [seen["settings"][key] for key in ("queries", "n_queries", "size")] == ["random", 7, 5])
    write_npy(f"{folder}/q.npy", [row(random.Random(i)) for i in range(9)])
    seen, status = bench.json("--queries", f"{folder}/q.npy", *SHORT)
    yield "queries come from a file", is_sound(seen, status) and seen["settings"]["n_queries"] == 9
    _, err, status = bench.run("--queries", f"{folder}/q.npy", "--using", "empty", collection="named")
    yield "of the right size", status == 1 and "has 9 rows of 24 numbers, a query has 5" in err


def mixes(bench):
    mix = "search=4,batch=1,retrieve=2,upsert=2,delete=1"
    for form in ("json", "raw"):
        seen, status = bench.json("--mix", mix, "--form", form, "--write-ids", "5000:5199", "--points", "3", "--batch", "4",
                                  "--payload", '{"n":-1}', *SHORT)
        weights = dict(word.split("=") for word in mix.split(","))
        shares = {kind: count["requests"] / seen["requests"] for kind, count in seen["kinds"].items()}
        yield f"a mix of all kinds as {form} has the shares that were asked for", (
            is_sound(seen, status) and set(shares) == set(weights) and
            (seen["requests"] < 200 or all(abs(shares[kind] - int(weights[kind]) / 10) < .15 for kind in weights)))

    def points(how):
        return bench.server.result("POST", "/collections/c/points/scroll", {
            "limit": 1000, "with_vector": True, "filter": {"must": [{"key": "n", "range": how}]}})["points"]
    yield "what was there is as it was", len(points({"gte": 0})) == N_POINTS
    written = points({"lt": 0})
    yield "points were written with their payload, and only where they may", (
        0 < len(written) <= 200 and all(5000 <= point["id"] <= 5199 for point in written))
    yield "no two of them are copies", len({json.dumps(point["vector"]) for point in written}) > .9 * len(written)
    seen, status = bench.json("--mix", "upsert=1", "--using", "a.b", "--form", "base64", "--no-wait", "--write-ids", "7:7",
                              *SHORT, collection="named")
    yield "one id is written again and again, without waiting", is_sound(seen, status) and not seen["settings"]["wait"]


def n_answered(server):
    """Of everything but asking for this."""
    responses = server.result("GET", "/telemetry")["requests"]["rest"]["responses"]
    return sum(count["count"] for route, statuses in responses.items() for count in statuses.values() if "telemetry" not in route)


def refusals(bench, folder):
    for words, wanted in (
            (("--mix", "search=9,upsert=1"), 'a mix that writes wants "--write-ids FROM:TO"'),
            (("--mix", "dance=1"), '"--mix" wants weights'), (("--mix", "search=0"), "asks for nothing"),
            (("--mix", "search"), '"--mix" wants weights'),
            (("--write-ids", "9:3"), 'two ids such as 1000:1999, not "9:3"'),
            (("--form", "xml"), '"json", "base64" or "raw"'), (("--form", "raw", "--filter", "{}"), "a raw body is a vector"),
            (("--rate", "0"), "want more than 0"), (("--arrivals", "poisson"), 'goes with "--rate"'),
            (("--rate", "1", "--arrivals", "odd"), '"even" or "poisson"'),
            (("--seconds", "1e3"), "wants a number such as 2 or 0.5, up to 86400"),
            (("--connections", "0"), '"--connections" wants 1 to'),
            (("--using", "nobody"), 'has no dense vector "nobody"'),
            (("--queries", "/nowhere.npy"), "/nowhere.npy")):
        out, err, status = bench.run(*words)
        yield f"{' '.join(words)} is refused with a sentence", status == 1 and wanted in err and out == ""
    with open(f"{folder}/kept.json", "w", encoding="utf-8") as file:
        file.write("kept")
    before, kept = n_answered(bench.server), ["--histogram", f"{folder}/kept.json"]
    for words, wanted in (
            (("--json", f"{folder}/no/seen.json"), f"{folder}/no/seen.json"),
            (("--histogram", f"{folder}/no/seen.hgrm"), f"{folder}/no/seen.hgrm"),
            (("--json", folder), f'"{folder}" is a folder'),
            (("--filter", '{"must":[', *kept), '"--filter": '), (("--filter", '{"must":[{"nope":1}]}', *kept), "nope"),
            (("--filter", "{} {}", *kept), '"--filter": '), (("--payload", "[1]", *kept), '"--payload": ')):
        out, err, status = bench.run(*words)
        yield f"{words[0]} {words[1]} is refused before anything is sent", (
            status == 1 and wanted in err and out == "" and n_answered(bench.server) == before)
    with open(f"{folder}/kept.json", encoding="utf-8") as file:
        yield "and nothing is written over", file.read() == "kept" and not os.path.exists(f"{folder}/kept.json.new")
    _, err, status = bench.run("--mix", "retrieve=1", "--using", "empty", collection="named")
    yield "so is reading where there is nothing to read", status == 1 and "to retrieve" in err
    _, err, status = bench.run(collection="nowhere")
    yield "and a collection that is not there", status == 1 and "404" in err


def failures(bench):
    server = bench.server
    server.result("PUT", "/collections/brief", {"vectors": {"size": SIZE, "distance": "Cosine"}})
    before = n_answered(server)

    def delete():
        while n_answered(server) < before + 100:
            time.sleep(.01)
        server.result("DELETE", "/collections/brief")
    thread = threading.Thread(target=delete)
    thread.start()
    out, err, status = bench.run("--json", "-", "--seconds", "1.5", "--warm-up", "0", collection="brief")
    thread.join()
    seen = json.loads(out)
    yield "requests that fail are counted, by what the server said", (
        status == 1 and 0 < seen["failed"] < seen["requests"] and [e["status"] for e in seen["errors"]] == [404] and
        seen["errors"][0]["n"] == seen["failed"] and "brief" in seen["errors"][0]["error"] and
        f"{seen['failed']} of {seen['requests']} requests failed" in err)
    seen, status = bench.json("--rate", "400000", "--seconds", "0.2", "--warm-up", "0", "--patience", "0.1", "--connections", "1")
    yield "what is never sent has failed", (
        status == 1 and seen["requests"] == 80000 and seen["failed"] > 0 and
        any("never sent" in error["error"] for error in seen["errors"]))


def reports(bench, folder):
    out, _, status = bench.run("--json", f"{folder}/seen.json", "--histogram", f"{folder}/seen.hgrm", "--mix",
                               "search=1,retrieve=1", *SHORT)
    with open(f"{folder}/seen.json", encoding="utf-8") as file:
        seen = json.load(file)
    with open(f"{folder}/seen.hgrm", encoding="utf-8") as file:
        table = file.read()
    yield "the table and the JSON say the same", is_sound(seen, status) and all(
        re.search(rf"^{name} +{count['requests']} +0 +{count['rate']:.1f} +{count['latency_us']['p50']:.0f} ", out, re.M)
        for name, count in [*seen["kinds"].items(), ("all", seen)])
    yield "and so does the histogram", (
        f"Total count    = {seen['requests']:12}]" in table and f"#[Max     = {seen['latency_us']['max']:12.3f}," in table)
    yield "it says what it cost itself", 0 < seen["generator"]["cpu_us"] < 5000 and re.search(r"busy \d+ %", out)


def open_loops(bench):
    seen, status = bench.json("--rate", "300", *SHORT)
    yield "so many as were meant to begin are counted", is_sound(seen, status) and seen["requests"] == 120
    again = [bench.json("--rate", "300", "--arrivals", "poisson", "--seed", seed, *SHORT)[0] for seed in ("3", "3", "4")]
    yield "chance has its seed", (
        again[0]["requests"] == again[1]["requests"] and all(60 < seen["requests"] < 180 for seen in again))
    seen, status = bench.json("--rate", "300", "--spin", *SHORT)
    yield "it may be kept awake", is_sound(seen, status) and seen["generator"]["busy"] < .9


def stalled(bench, *words):
    """A load of two seconds amid which the server stands still."""
    process = bench.server.process

    def stall():
        time.sleep(.8)
        process.send_signal(signal.SIGSTOP)
        time.sleep(STALL_S)
        process.send_signal(signal.SIGCONT)
    thread = threading.Thread(target=stall)
    thread.start()
    try:
        return bench.json("--seconds", "2", "--warm-up", "0.2", *words)
    finally:
        thread.join()


def stalls(bench):
    closed, closed_status = stalled(bench)
    opened, opened_status = stalled(bench, "--rate", "200")
    least = STALL_S * 1e6 * .8
    yield "both loops see that a server stalled", (
        is_sound(closed, closed_status) and is_sound(opened, opened_status) and opened["requests"] == 400 and
        closed["latency_us"]["max"] > least and opened["latency_us"]["max"] > least)
    yield "the open one shows that it was felt by all who would have called", opened["latency_us"]["p90"] > least / 4
    yield "which is hidden from whoever only asks again", closed["latency_us"]["p90"] < least / 4
    yield "and from whoever counts from the sending", opened["service_us"]["p90"] < opened["latency_us"]["p90"]


def ends(bench):
    process = bench.server.process
    thread = threading.Timer(.5, process.kill)
    thread.start()
    seen, status = bench.json("--seconds", "1.2", "--warm-up", "0.1")
    thread.join()
    process.wait(60)
    yield "a server that dies is a failure of each request it took along, and of those behind", (
        status == 1 and 0 < seen["failed"] < seen["requests"] and all(e["status"] == 0 for e in seen["errors"]))
    out, err, status = bench.run(*SHORT)
    yield "and one that is not there is said to be", status == 1 and out == "" and "could not reach a server" in err
    bench.server.again()


def play(server):
    fill(server, random.Random(1))
    bench = Bench(server)
    yield from forms(bench, server.directory)
    yield from mixes(bench)
    yield from refusals(bench, server.directory)
    yield from failures(bench)
    yield from reports(bench, server.directory)
    yield from open_loops(bench)
    yield from stalls(bench)
    yield from ends(bench)


if __name__ == "__main__":
    sys.exit(bridges.tell("bench", play))
