#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The server killed between and during the steps of a swap.

    swaps.py SEED CYCLES HEIRLOOM

A swap is tried with a kill at its first sync, its second, until none is left, from 100 cycles on at every
write too, and with a disk that fails from some sync on. Then come swaps with SIGKILL at any moment, several
times each. What the record says is done must be there, and nothing be there that it does not say but a
snapshot; the same body must go on behind it to the end, with one bridge and one rollout."""
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

from bridges import Server, unit
from rollouts import send

SWAP = "/collections/c/swap"
BODY = {"from": "v1", "to": "v2", "data": {"pairs": "points"}, "kind": "ridge", "gates": {"criterion": False}}
SIZES, N_POINTS = {"v1": 6, "v2": 8}, 400


def make(server, draw):
    server.ask("PUT", "/collections/c", {
        "vectors": {name: {"size": size, "distance": "Cosine"} for name, size in SIZES.items()}})
    server.ask("PUT", "/collections/c/points?wait=true", {"points": [
        {"id": i, "vector": {name: unit([draw.gauss(0, 1) for _ in range(size)]) for name, size in SIZES.items()}}
        for i in range(N_POINTS)]})


# ---- looking ----

def look(server):
    """What is said to be done, and what is there: the snapshot, the revision, whether it serves, the rollout."""
    swap = server.ask("GET", SWAP)
    said = {step["step"]: step for step in swap["steps"]}
    snapshots = {one["name"] for one in server.ask("GET", "/collections/c/snapshots")}
    bridge = next((b for b in server.ask("GET", "/collections/c/bridges")["bridges"]
                   if (b["from"], b["to"]) == ("v2", "v1")), {"revision": None, "active": None})
    rollout = server.ask("GET", "/collections/c/rollout")
    return swap, said, snapshots, bridge["revision"], rollout


def check(server, before):
    """What is wrong with the record; `before` is what it said of the steps before, which stays so."""
    swap, said, snapshots, revision, rollout = look(server)
    done = {name: step for name, step in said.items() if step["state"] == "done"}
    wrong = []
    if swap["state"] == "running":
        wrong.append("it runs, and nobody does it")
    if "snapshot" in done and done["snapshot"]["snapshot"] not in snapshots:
        wrong.append("the snapshot is not there")
    if done.get("fit", {}).get("revision") != revision:
        wrong.append(f"the record says {done.get('fit')}, and there is revision {revision}")
    if ("shadow" in done) != (rollout["number"] > 0):
        wrong.append(f"the record says {done.get('shadow')}, and there is rollout {rollout['number']}")
    wrong += [f"{name} was done, and is not any more: {step}" for name, step in before.items()
              if done.get(name) != step]
    return wrong, done


def go_on(server, before):
    """The same body again, to the end."""
    job = server.ask("POST", SWAP + "?wait=true&timeout=60", BODY)
    wrong, done = check(server, before)
    if job["state"] != "done" or len(done) != 5:
        wrong.append(f"the same body again came to {job['state']}, {sorted(done)}")
    _, _, _, revision, rollout = look(server)
    if (revision, rollout["number"], rollout["stage"]) != (1, 1, "shadow"):
        wrong.append(f"in the end there is revision {revision} and rollout {rollout['number']}")
    return wrong


# ---- step by step ----

class Kept:
    """The folder as it was, to begin from again."""

    def __init__(self, server):
        self.data, self.kept = (os.path.join(server.directory, name) for name in ("data", "kept"))
        self.server = server
        server.end(signal.SIGTERM)
        shutil.copytree(self.data, self.kept)

    def restore(self):
        shutil.rmtree(self.data)
        shutil.copytree(self.kept, self.data)


def in_every_step(kept, place, action):
    server, findings, number, depths = kept.server, [], 0, set()
    call = ("POST", SWAP + "?wait=true&timeout=60", BODY, None)
    is_over = False
    while not is_over and number < 400:
        number += 1
        kept.restore()
        is_over = server.start(f"{place}={number}{action}") and send(server, call)
        is_over = (server.end(signal.SIGTERM) == 0 or action != ":kill") and is_over
        server.start()
        wrong, done = check(server, {})
        depths.add(len(done))
        wrong += go_on(server, done)
        findings += [f"{place}={number}{action}: {one}" for one in wrong]
        server.end(signal.SIGTERM)
    # What a job saves of its progress comes between by the clock, so a kill may jump over one.
    if action == ":kill" and len(depths) < 5:
        findings.append(f"{place}{action}: it was stopped behind {sorted(depths)} of its steps alone")
    return findings, number


# ---- any moment ----

def cycle(kept, draw):
    """Kills until it is over or five times: what is wrong."""
    server, wrong, done, n_kills = kept.server, [], {}, 0
    kept.restore()
    server.start()
    while len(done) < 5 and n_kills < 5 and not wrong:
        thread = threading.Thread(target=send, args=(server, ("POST", SWAP, BODY, None)))
        thread.start()
        time.sleep(draw.uniform(0, 0.25))
        server.end(signal.SIGKILL)
        thread.join()
        server.start()
        n_kills += 1
        wrong, done = check(server, done)
    wrong += go_on(server, done)
    server.end(signal.SIGTERM)
    return wrong, n_kills


def main():
    seed, cycles, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    draw, results, n_kills, findings = random.Random(seed), [], 0, []
    with tempfile.TemporaryDirectory(prefix="heirloom-swaps-") as directory:
        server = Server(program, directory)
        try:
            make(server, draw)
            kept = Kept(server)
            for place, action in [("file.sync", ":kill")] + (
                    [("file.sync", "+:fail"), ("file.write", ":kill")] if cycles >= 100 else []):
                found, number = in_every_step(kept, place, action)
                results.append((f"a swap stopped at each of {number} passages of {place}{action} goes on behind "
                                "what is done", found))
            for _ in range(cycles):
                found, n = cycle(kept, draw)
                findings, n_kills = findings + found, n_kills + n
            results.append((f"and after {n_kills} kills at any moment in {cycles} swaps", findings))
        finally:
            if server.process.poll() is None:
                server.end(signal.SIGKILL)
    print(f"TAP version 13\n1..{len(results)}")
    for i, (what, found) in enumerate(results, 1):
        print(f"{'not ok' if found else 'ok'} {i} - {what}")
        for one in found[:10]:
            print(f"# {one}")
    print(f"# count={cycles} findings={sum(len(found) for _, found in results)}")
    return int(any(found for _, found in results))


if __name__ == "__main__":
    sys.exit(main())
