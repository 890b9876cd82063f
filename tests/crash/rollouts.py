#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The server killed in every transition of a rollout.

    rollouts.py SEED CYCLES HEIRLOOM

Each transition is tried with a kill at its first sync, its second, until none is left; from 100 cycles
on at every write too, and with a disk that fails from there on. Then come cycles of any transition with SIGKILL at any
moment, while points are written. After each the rollout must be the one before or the one after, with
the event of the step there or not alike, and `route` and the published plans must say the same; a step
that was answered must be there."""
import http.client
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import urllib.request

from bridges import Gallery, Server, make, write

PATH = "/collections/c/rollout"
WAY = ["start", "change", "advance", "share", "promote", "rollback", "again", "rollback", "abort", "end", "start",
       "again", "promote", "end"]  # and then the other way
STEPS = ("start", "change", "advance", "promote", "rollback", "abort", "end")


class Rollout:
    """Where it is on its way; `old` and `new` are the models."""

    def __init__(self, server, draw):
        self.server, self.draw, self.at, self.old, self.new = server, draw, 0, "v1", "v2"

    def call(self):
        """The next transition: its method, path and body, and what the event will call it."""
        name = WAY[self.at]
        put = {"from": self.old, "to": self.new, "gate": {"criterion": False}, "sample": 1}
        return {
            "start": ("PUT", PATH, put, "start"),
            "change": ("PUT", PATH, {**put, "ttl_s": self.draw.randint(20, 9999)}, "change"),
            "advance": ("POST", f"{PATH}/advance", {"percent": 5, "force": True}, "advance"),
            "share": ("POST", f"{PATH}/advance", {"percent": 40.25}, "advance"),
            "again": ("POST", f"{PATH}/advance", {"percent": 77, "force": True}, "advance"),
            "promote": ("POST", f"{PATH}/promote", {"force": True}, "promote"),
            "rollback": ("POST", f"{PATH}/rollback", {}, "rollback"),
            "abort": ("POST", f"{PATH}/abort", {}, "abort"),
            "end": ("DELETE", PATH, None, "end"),
        }[name]

    def go_on(self):
        self.at = (self.at + 1) % len(WAY)
        if self.at == 0:
            self.old, self.new = self.new, self.old


# ---- looking ----

def look(server):
    rollout = server.ask("GET", PATH)
    del rollout["comparison"]  # is saved every few seconds
    events = server.ask("GET", f"{PATH}/events?limit=10000")["events"]
    events = [event for event in events if event["what"] in STEPS]  # notes come by themselves
    route = server.ask("GET", "/collections/c/route?key=k") if rollout["number"] else None
    return rollout, events, route


def check(before, after, what, was_answered):
    """What is wrong, and whether the step is there."""
    (rollout0, events0, _), (rollout, events, route) = before, after
    if rollout == rollout0 and events == events0:
        is_after = False
    elif (rollout["step"] == rollout0["step"] + 1 and len(events) == len(events0) + 1 and
          events[:-1] == events0 and events[-1]["what"] == what and events[-1]["step"] == rollout["step"] and
          events[-1]["stage_before"] == rollout0["stage"] and events[-1]["stage_after"] == rollout["stage"]):
        is_after = True
    else:
        return [f"{what}: before there was {rollout0} and {len(events0)} events, now there is {rollout} and "
                f"{events[-1:]} of {len(events)}"], True
    wrong = []
    if was_answered and not is_after:
        wrong.append(f"{what} was answered, and is not there")
    if route and (route["stage"], route["step"], route["percent"]) != (
            rollout["stage"], rollout["step"], rollout["percent"]):
        wrong.append(f"{what}: route says {route}, and there is {rollout}")
    return wrong, is_after


def send(server, call):
    """Whether it was answered 200; a server that dies answers nothing."""
    method, path, body, _ = call
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status == 200
    except (OSError, http.client.HTTPException):
        return False


# ---- step by step ----

def in_every_step(server, rollout, place, action):
    """The next transition, from the same state, where each passage of the place in turn kills, or it and
    all behind it fail."""
    call, before, findings = rollout.call(), look(server), []
    data, kept = os.path.join(server.directory, "data"), os.path.join(server.directory, "kept")
    server.end(signal.SIGTERM)
    shutil.copytree(data, kept)
    n_before = n_after = number = 0
    is_over = False
    while not is_over and number < 200:
        number += 1
        shutil.rmtree(data)
        shutil.copytree(kept, data)
        was_answered = server.start(f"{place}={number}{action}") and send(server, call)
        is_over = was_answered and (server.end(signal.SIGTERM) == 0 or action != ":kill")
        if not was_answered:
            server.end(signal.SIGTERM)
        server.start()
        wrong, is_after = check(before, look(server), call[3], was_answered)
        findings += [f"{place}={number}{action}: {one}" for one in wrong]
        n_after, n_before = n_after + is_after, n_before + (not is_after)
        server.end(signal.SIGTERM)
    shutil.rmtree(kept)
    server.start()
    if number < 4:
        findings.append(f"{call[3]} came to no {place}")
    rollout.go_on()
    return findings, n_before, n_after


# ---- any moment ----

def cycle(server, rollout, gallery):
    """What is wrong, and whether the step is there after the kill."""
    call, before, answered = rollout.call(), look(server), []
    thread = threading.Thread(target=lambda: answered.append(send(server, call)))
    write(server, gallery, gallery.draw.sample(range(1, gallery.n_points), 3))
    until = time.monotonic() + gallery.draw.uniform(0, 0.04)
    thread.start()
    while time.monotonic() < until:
        pass
    server.end(signal.SIGKILL)
    thread.join()
    server.start()
    wrong, is_after = check(before, look(server), call[3], answered[0])
    if is_after:
        rollout.go_on()
    return wrong, is_after


def main():
    seed, n_cycles, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    findings, n_before, n_after, kills = [], 0, 0, [0, 0]
    with tempfile.TemporaryDirectory(prefix="heirloom-crash-rollouts-") as directory:
        gallery, server = Gallery(random.Random(seed), 30), Server(program, directory)
        try:
            make(server, gallery)
            server.ask("POST", "/collections/c/bridges/v2/v1/activate?wait=true&timeout=60",
                       {"revision": 1, "strategy": "backward"})
            rollout = Rollout(server, gallery.draw)
            for place in ("file.sync", "file.write") if n_cycles >= 100 else ("file.sync",):
                for action in (":kill", "+:fail") if n_cycles >= 100 else (":kill",):
                    for _ in WAY:
                        wrong, n0, n1 = in_every_step(server, rollout, place, action)
                        findings += wrong
                        n_before, n_after = n_before + n0, n_after + n1
            for number in range(n_cycles):
                wrong, is_after = cycle(server, rollout, gallery)
                findings += [f"cycle {number}: {one}" for one in wrong]
                kills[is_after] += 1
        finally:
            ended = server.end(signal.SIGTERM)
    print("TAP version 13\n1..3")
    for finding in findings[:20]:
        print("#", finding)
    print(f"# at each step of {len(WAY)} transitions: {n_before} left the state before, {n_after} the one after")
    print(f"# {n_cycles} kills at any moment: {kills[0]} left the state before, {kills[1]} the one after")
    print("ok" if not findings else "not ok", "1 - after a kill the rollout is the one before or the one after, event and all")
    print("ok" if n_before > 0 and n_after > 0 else "not ok", "2 - there were kills before the step and behind it")
    print("ok" if ended == 0 else "not ok", "3 - the server stops with status 0")
    print(f"# count={n_cycles} findings={len(findings)}")
    return bool(findings) or ended != 0


if __name__ == "__main__":
    sys.exit(main())
