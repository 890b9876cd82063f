#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that ask for more than there is, as curl and others are when they test a load: too many at once, bodies that
are too large, senders that are too slow, and all who leave amid it. Each is answered in a sentence or is gone, whoever
is well-behaved is served meanwhile, and afterwards nothing of it is left: no connection, no descriptor, no file.

    overload.py HEIRLOOM [memory]"""
import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "compat"))
import gallery as g  # noqa: E402

N_POINTS, SIZE, LIMIT_S = 5000, 32, 60
MOST_AT_ONCE, MOST_MB, RECEIVE_S, READERS = 40, 1, 2, 1
SOFT_FILES, IDLE, EACH = 400, 350, 100
LONG = {"query": 1, "limit": 100, "with_vector": True, "params": {"exact": True}}
SAID = "%{http_code} %header{retry-after}\n"


class Clients:
    """curl, as often as it is asked for, and what it saw."""

    def __init__(self, server, folder):
        self.url, self.folder = f"http://127.0.0.1:{server.port}", folder

    def file(self, name, data):
        path = f"{self.folder}/{name}"
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else json.dumps(data).encode())
        return path

    def begin(self, path, *words, at_once=1):
        return subprocess.Popen(["curl", "-s", "--no-progress-meter", "--parallel", "--parallel-immediate",
                                 "--parallel-max", str(at_once), "-H", "Expect:", "-o", "/dev/null", "-w", SAID, *words,
                                 self.url + path], stdout=subprocess.PIPE, text=True)

    def ask(self, path, *words, at_once=1):
        """How often there was which status, and "429 1" if it said when to come again."""
        said, _ = self.begin(path, *words, at_once=at_once).communicate(timeout=LIMIT_S)
        return collections.Counter(line.strip() for line in said.splitlines())


class Standing:
    """What a server holds on to, and whether it comes back to it."""

    def __init__(self, server):
        self.server, self.uploads = server, f"{server.folder}/data/uploads"
        self.files = self.count_files()

    def count_files(self):
        """Descriptors that are no connections."""
        folder, n = f"/proc/{self.server.process.pid}/fd", 0
        for fd in os.listdir(folder):
            with contextlib.suppress(OSError):
                n += not os.readlink(f"{folder}/{fd}").startswith("socket:")
        return n

    def limits(self):
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=LIMIT_S)
        line.request("GET", "/limits")
        reply = line.getresponse()
        limits = json.loads(reply.read())
        line.close()
        return limits["result"] if reply.status == 200 else collections.defaultdict(lambda: {"in_use": 99})

    def is_at_rest(self):
        self.server.local.line.close()
        limits = self.limits()
        return (limits["connections"]["in_use"], limits["readers"]["in_use"],
                limits["queued_long_requests"]["in_use"]) == (1, 0, 0) and self.count_files() <= self.files and \
            not (os.path.isdir(self.uploads) and os.listdir(self.uploads))

    def comes_to_rest(self):
        until = time.monotonic() + LIMIT_S
        while not self.is_at_rest():
            if time.monotonic() > until:
                return False
            time.sleep(.05)
        return True


def fill(server):
    server.result("PUT", "/c", {"vectors": {"size": SIZE, "distance": "Cosine"}})
    rows = g.np.random.default_rng(7).standard_normal((N_POINTS, SIZE))
    for at in range(0, N_POINTS, 1000):
        server.result("PUT", "/c/points?wait=true", {"points": [
            {"id": i, "vector": g.text_of(rows[i])} for i in range(at, at + 1000)]})


def count(server):
    return server.result("POST", "/c/points/count", {"exact": True})["count"]


# ---- too many ----

def too_many_connections(clients, lines):
    saw = clients.ask("/healthz#[1-1000]", at_once=3 * MOST_AT_ONCE)
    lines.say(f"of 1000 requests on {3 * MOST_AT_ONCE} connections, where {MOST_AT_ONCE} may be, each is served or told "
              f"when to come again: {dict(saw)}", set(saw) == {"200", "503 1"} and saw.total() == 1000)
    saw = clients.ask("/healthz#[1-1000]", at_once=MOST_AT_ONCE // 2)
    lines.say("and then those that are not too many are all served", saw == {"200": 1000})


def too_many_long_requests(clients, lines):
    body = "@" + clients.file("long.json", LONG)
    storm = clients.begin("/collections/c/points/query#[1-2000]", "-d", body, at_once=MOST_AT_ONCE - 10)
    patient = clients.ask("/collections/c/points/query", "--retry", "20", "-d", body)
    quick = clients.ask("/collections/c/points/query#[1-100]", "-H", "Content-Type: application/octet-stream",
                        "--data-binary", "@" + clients.file("query.f32", g.np.ones(SIZE, "<f4").tobytes()))
    saw = collections.Counter(line.strip() for line in storm.communicate(timeout=LIMIT_S)[0].splitlines())
    lines.say(f"of 2000 long requests each is served or told when to come again: {dict(saw)}",
              set(saw) <= {"200", "429 1"} and saw["200"] > 0 and saw.total() == 2000)
    lines.say("who comes again is served in the end", patient["200"] == 1)
    lines.say("and who asks for little is served meanwhile", quick == {"200": 100})


# ---- too large ----

def send_whole(server, method, path, headers, body):
    """As clients do that know nothing of an answer before all is sent: status, fields, sentence."""
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
    try:
        line.request(method, path, body, headers)
        reply = line.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read().decode()
    except OSError as error:
        return 0, {}, repr(error)
    finally:
        line.close()


def too_large_bodies(server, clients, lines):
    body = b" " * (8 * MOST_MB << 20)
    for status, method, path, sentence in ((413, "PUT", "/collections/c/points", "larger than 1 MB"),
                                           (404, "POST", "/collections/c/nothing", "not found"),
                                           (405, "PUT", "/healthz", "GET")):
        seen = [send_whole(server, method, path, {}, body) for _ in range(20)]
        wrong = [s for s in seen if s[0] != status or sentence.lower() not in (s[2] + s[1].get("Allow", "")).lower()]
        lines.say(f"{status}: who sends 8 MB first and listens then hears it, 20 times of 20: {wrong[:1]}", not wrong)
    path = clients.file("large", body)
    saw = clients.ask("/collections/c/points#[1-30]", "-X", "PUT", "--data-binary", f"@{path}", at_once=20)
    lines.say(f"and so does curl: {dict(saw)}", saw == {"413": 30})


# ---- too slow ----

def too_slow_senders(clients, lines):
    path = clients.file("slow", b" " * 900000)
    slow = clients.begin("/collections/c/points#[1-20]", "-X", "PUT", "--data-binary", f"@{path}", "--limit-rate", "50k",
                         at_once=20)
    body = "@" + clients.file("long.json", LONG)
    saw = clients.ask("/collections/c/points/query#[1-300]", "-d", body, at_once=8)
    lines.say(f"while 20 senders are slow, others are served: {dict(saw)}", saw == {"200": 300})
    saw = collections.Counter(line.strip() for line in slow.communicate(timeout=LIMIT_S)[0].splitlines())
    lines.say(f"and the slow ones are told that their time is over: {dict(saw)}", saw == {"408": 20})


# ---- gone ----

def writers_who_leave(server, clients, standing, lines):
    """Of each request all points are there or none, and all that were answered."""
    for i in range(200):
        clients.file(f"points-{i:03}", {"points": [{"id": N_POINTS + EACH * i + j, "vector": [j + 1] * SIZE, "payload": {
            "request": i}} for j in range(EACH)]})
    n_answered, n_left = 0, 0
    for seconds, part in (("0.003", "0[00-99]"), ("0.03", "1[00-99]")):  # a build is fast or slow
        saw = clients.ask("/collections/c/points?wait=true", "-T", f"{clients.folder}/points-{part}", "-m", seconds,
                          at_once=20)
        n_answered, n_left = n_answered + saw["200"], n_left + saw["000"]
    lines.say(f"{n_left} writers left, {n_answered} were answered", n_left > 0 and standing.comes_to_rest())
    found = server.result("POST", "/c/points/scroll", {"limit": 200 * EACH, "with_vector": False, "with_payload": ["request"],
                                                       "filter": {"must": [{"key": "request", "range": {"gte": 0}}]}})
    whole = collections.Counter(point["payload"]["request"] for point in found["points"])
    lines.say(f"each of their {len(whole)} writes that happened is whole, and no answered one is missing",
              set(whole.values()) <= {EACH} and len(whole) >= n_answered)
    server.result("POST", "/c/points/delete?wait=true", {"filter": {"must": [{"key": "request", "range": {"gte": 0}}]}})


def others_who_leave(server, clients, standing, lines):
    body = "@" + clients.file("long.json", LONG)
    large = clients.file("upload", b"\0" * (12 << 20))
    batch = "@" + clients.file("batch.json", {"searches": [{**LONG, "query": i} for i in range(50)]})
    for what, path, words in (
            ("searchers", "/collections/c/points/query#[1-500]", ("-d", body, "-m", "0.004")),
            ("those who ask for much", "/collections/c/points/query/batch#[1-60]", ("-d", batch, "-m", "0.02")),
            ("readers", "/collections/c/points/scroll#[1-60]",
             ("-d", '{"limit":5000,"with_vector":true}', "--limit-rate", "100k", "-m", "0.1")),
            ("senders", "/collections/c/datasets/d#[1-60]", ("-T", large, "--limit-rate", "40M", "-m", "0.1"))):
        saw = clients.ask(path, *words, at_once=20)
        lines.say(f"{what} left: {dict(saw)}", saw.total() > 0 and saw["200"] < saw.total() and standing.comes_to_rest())
    lines.say("and all is as it was", count(server) == N_POINTS)


# ---- what is kept ----

def many_who_say_nothing(server, lines):
    """Each connection is a descriptor; the collections need some as well."""
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(IDLE)]
    made = [server.ask("PUT", f"/of-many-{i}", {"vectors": {"size": 4, "distance": "Dot"}}) for i in range(40)]
    refused = [reply for status, reply in made if status != 200]
    lines.say(f"beside {IDLE} idle connections there is room for the files of 40 collections: {refused[:1]}", not refused)
    for connection in idle:
        connection.close()


def large_bodies_at_once(server, clients, lines):
    """Bodies of other sizes each, so that none finds the place of another."""
    def resident():
        with open(f"/proc/{server.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s*(\d+)", status.read())[1]) // 1024
    path, before = clients.file("wide", b" " * (25 << 20)), resident()
    for i in range(20):
        with open(f"{path}{i:02}", "wb") as file:
            file.write(b" " * ((20 << 20) + i * 300000))
    saw = sum((clients.ask("/collections/c/points", "-T", f"{path}[00-19]", at_once=20) for _ in range(3)),
              collections.Counter())
    until = time.monotonic() + LIMIT_S
    while resident() > before + 50 and time.monotonic() < until:
        time.sleep(.05)
    lines.say(f"60 bodies of 20 MB and more are refused in the end, {dict(saw)}, and their memory goes back: {before} MB "
              f"before, {resident()} MB after", set(saw) <= {"400", "429 1"} and saw["400"] > 0 and
              saw.total() == 60 and resident() <= before + 50)


# ---- together ----

def play_tight(server, clients, lines):
    standing = Standing(server)
    for part in (lambda: too_many_connections(clients, lines), lambda: too_many_long_requests(clients, lines),
                 lambda: too_large_bodies(server, clients, lines), lambda: too_slow_senders(clients, lines)):
        part()
        lines.say("nothing of it is left", standing.comes_to_rest())


def play_wide(server, clients, lines):
    many_who_say_nothing(server, lines)
    standing = Standing(server)
    writers_who_leave(server, clients, standing, lines)
    others_who_leave(server, clients, standing, lines)


def on_server(program, lines, settings, play):
    os.environ.update({f"HEIRLOOM__SERVICE__{name}": str(value) for name, value in settings.items()})
    with tempfile.TemporaryDirectory(prefix="heirloom-overload-") as folder:
        server = g.Server(program, folder)
        try:
            fill(server)
            play(server, Clients(server, folder), lines)
        finally:
            ended = server.stop()
        with open(f"{folder}/server.log", encoding="utf-8") as log:
            lines.say("the server has nothing to complain of", not re.search(r"level=(error|warn)", log.read()))
    lines.say("and stops with status 0", ended == 0)


def main():
    program, lines = str(pathlib.Path(sys.argv[1]).resolve()), g.Lines()
    if sys.argv[2:] == ["memory"]:  # a sanitizer keeps what was freed
        on_server(program, lines, {}, large_bodies_at_once)
        return lines.end()
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    on_server(program, lines, {"MAX_CONNECTIONS": MOST_AT_ONCE, "MAX_REQUEST_SIZE_MB": MOST_MB, "WORKERS": 2,
                               "RECEIVE_TIMEOUT_S": RECEIVE_S, "READERS": READERS}, play_tight)
    on_server(program, lines, {"MAX_CONNECTIONS": SOFT_FILES, "MAX_REQUEST_SIZE_MB": 32}, play_wide)
    return lines.end()


if __name__ == "__main__":
    sys.exit(main())
