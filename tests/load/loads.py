#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The load tests with curl, in small: that they send what they say, count what fails, and leave nothing behind. Times
are nobody's business here. The lines of README.md's chapter are typed as they stand there.

    loads.py HEIRLOOM"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import readme
from readme import DEMO, ROOT, g

CHAPTER = "### Load testing"
NAME, N_POINTS, LIMIT_S = "load", 10000, 60
SECRETS = {"FULL": "may-read-and-write", "READER": "may-only-read-here"}


class Load:
    """Scripts that are called on one server, with a folder for what they keep meanwhile."""

    def __init__(self, server, folder):
        self.url, self.folder = f"http://127.0.0.1:{server.port}", f"{folder}/meanwhile"
        os.mkdir(self.folder)

    def begin(self, script, *args, collection=NAME, **env):
        env = {**os.environ, "TMPDIR": self.folder, **{name: str(value) for name, value in env.items()}}
        return subprocess.Popen([ROOT / "tests/load" / script, self.url, collection, *map(str, args)], env=env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *args, **env):
        """Its status, its table, what it complained of."""
        script = self.begin(*args, **env)
        said, complaint = script.communicate(timeout=LIMIT_S)
        return script.returncode, rows(said), complaint

    def left(self):
        return os.listdir(self.folder)


def rows(said):
    """Of each kind how many requests there were and how many failed."""
    cells = [line.split() for line in said.splitlines()[1:] if not line.startswith("failed, ")]
    return {row[0]: (int(row[1]), int(row[2])) for row in cells}


class Gallery:
    """The demo gallery that is loaded, and what of it is the same before and after."""

    def __init__(self, server, headers=None):
        self.server, self.headers = server, headers

    def result(self, method, path, body=None):
        return self.server.result(method, f"/{NAME}{path}", body, self.headers)

    def count(self):
        return self.result("POST", "/points/count", {"exact": True})["count"]

    def active(self):
        bridges = self.result("GET", "/bridges")["bridges"]
        return [b["from"] for b in bridges if b["revision"] and b["activation"]["current"]]

    def is_untouched(self):
        return self.count() == N_POINTS and not self.active()


# ---- timings alone ----

def time_known_requests(lines):
    known = [f"search 200 {ms / 1e3:.6f}" for ms in range(1000, 0, -1)] + ["search took 10.5 12.5"]
    known += ["upsert 429 0.000100", "upsert 000 0.000100", "upsert 200 0.004000", "upsert took 1 3"]
    done = subprocess.run([ROOT / "tests/load/timings"], input="\n".join(known) + "\n", text=True, capture_output=True,
                          timeout=LIMIT_S)
    said = [" ".join(line.split()) for line in done.stdout.splitlines()[1:]]
    lines.say("percentiles are times that were measured, and a rate is requests by time",
              said[:1] == ["search 1000 0 500 500.00 900.00 990.00 999.00 1000.00"])
    lines.say("what failed counts, but not as a time",
              said[1:2] == ["upsert 3 2 2 4.00 4.00 4.00 4.00 4.00"])
    lines.say("it says how it failed", sorted(said[2:]) == ["failed, upsert: 000: 1 (no reply)", "failed, upsert: 429: 1"])
    lines.say("and ends in 1", done.returncode == 1)
    none = subprocess.run([ROOT / "tests/load/timings"], input="", text=True, capture_output=True, timeout=LIMIT_S)
    lines.say("no request at all is a failure", none.returncode == 1)


# ---- loads that go well ----

def chapter():
    text = (ROOT / "README.md").read_text(encoding="utf-8").split(CHAPTER)[1].split("\n#")[0]
    return [line for block in readme.blocks(text) for line in block]


def play_loads(load, gallery, lines, folder):
    with open(f"{folder}/few.f32", "wb") as file:
        file.write(g.np.eye(7, 64, dtype="<f4").tobytes())
    for args, env, wanted in (
            (("search.sh", 300, 4), {}, {"search": (300, 0)}),
            (("search.sh", 300, 4), {"USING": "v3"}, {"search": (300, 0)}),
            (("search.sh", 300, 4), {"QUERIES": f"{folder}/few.f32"}, {"search": (7, 0)}),
            (("search.sh", 5, 4), {"QUERIES": f"{folder}/few.f32"}, {"search": (5, 0)}),
            (("upsert.sh", 60, 4), {}, {"upsert": (60, 0)}),
            (("upsert.sh", 20, 1), {"USING": "v3", "POINTS": 3}, {"upsert": (20, 0)}),
            (("mixed.sh", 205, 4), {}, {"search": (205, 0), "upsert": (21, 0)})):
        lines.say(f"{' '.join(map(str, args))} {env}: {wanted}", load.run(*args, **env) == (0, wanted, ""))
        lines.say("and afterwards all is as it was", gallery.is_untouched() and not load.left())


def play_swaps(load, gallery, lines):
    status, table, complaint = load.run("swap.sh", 300, 4)
    n = table.get("activate", (0, 0))[0]
    lines.say(f"600 searches go on while the bridge comes and goes {n} times",
              (status, complaint) == (0, "") and n > 0 and
              table == {"from": (300, 0), "to": (300, 0), "activate": (n, 0), "deactivate": (n, 0)})
    lines.say("and afterwards all is as it was", gallery.is_untouched() and not load.left())
    gallery.result("POST", "/bridges/v3/@default/activate?wait=true")
    status, table, complaint = load.run("swap.sh", 10, 2)
    lines.say("a bridge that serves somebody is left alone",
              (status, table) == (1, {}) and "is active" in complaint and gallery.active() == ["v3"])
    gallery.result("POST", "/bridges/v3/@default/deactivate?wait=true")


# ---- loads that do not ----

def interrupt(load, gallery, lines, script, has_begun):
    running, until = load.begin(script, 5000, 2, POINTS=1), time.monotonic() + LIMIT_S
    while not has_begun() and time.monotonic() < until:
        pass
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=LIMIT_S)
    lines.say(f"{script} that is told to end takes back what it did", running.returncode == 1 and gallery.is_untouched())
    lines.say("and leaves no file", not load.left())


def play_refusals(load, lines):
    for what, env, sentence in (("the collection", {"collection": "nowhere"}, "Collection `nowhere` doesn't exist"),
                                ("the model", {"USING": "v9"}, '"load" has no dense vectors of a model "v9"')):
        status, table, complaint = load.run("search.sh", 10, 2, **env)
        lines.say(f"{what} is not there: {sentence}", (status, table) == (1, {}) and sentence in complaint)


def play_keys(load, gallery, lines, folder):
    headers = {}
    for name, secret in SECRETS.items():
        headers[name] = f"{folder}/{name}"
        with open(headers[name], "w", encoding="utf-8") as file:
            file.write(f"api-key: {secret}\n")
    lines.say("without its key nothing begins", load.run("search.sh", 10, 2)[:2] == (1, {}))
    lines.say("with it all is well", load.run("mixed.sh", 50, 2, HEADERS=headers["FULL"]) ==
              (0, {"search": (50, 0), "upsert": (5, 0)}, ""))
    status, table, complaint = load.run("mixed.sh", 50, 2, HEADERS=headers["READER"])
    lines.say("with a reader's, searches are well and writes fail, which is told",
              (status, table) == (1, {"search": (50, 0), "upsert": (5, 5)}) and "403" in complaint)
    lines.say("and afterwards all is as it was", gallery.is_untouched() and not load.left())


# ---- servers ----

def on_server(program, play):
    with tempfile.TemporaryDirectory(prefix="heirloom-loads-") as folder:
        server = g.Server(program, folder)
        try:
            play(server, Load(server, folder), folder)
        finally:
            ended = server.stop()
    return ended == 0


def play_open(program, lines):
    def play(server, load, folder):
        terminal, gallery = readme.Terminal(program, server.port), Gallery(server)
        *made, deleted = chapter()
        for line in made:
            lines.say(line, readme.is_well(terminal.type(line) or "0"))
        lines.say("and afterwards all is as it was", gallery.is_untouched())
        play_loads(load, gallery, lines, folder)
        play_swaps(load, gallery, lines)
        play_refusals(load, lines)
        interrupt(load, gallery, lines, "upsert.sh", lambda: gallery.count() > N_POINTS)
        interrupt(load, gallery, lines, "swap.sh", gallery.active)
        lines.say(deleted, readme.is_well(terminal.type(deleted)))
    lines.say("the server stops with status 0", on_server(program, play))


def play_locked(program, lines):
    for name, secret in SECRETS.items():
        os.environ[f"HEIRLOOM__KEYS__{name}__SECRET"] = secret
    os.environ["HEIRLOOM__KEYS__READER__ACCESS"] = "read_only"
    os.environ["HEIRLOOM_API_KEY"] = SECRETS["FULL"]

    def play(server, load, folder):
        subprocess.run([program, "demo", "--url", load.url, "--collection", NAME], check=True, capture_output=True,
                       timeout=LIMIT_S)
        play_keys(load, Gallery(server, {"api-key": SECRETS["FULL"]}), lines, folder)
    lines.say("and the one with keys", on_server(program, play))


def main():
    program, lines = str(pathlib.Path(sys.argv[1]).resolve()), g.Lines()
    os.environ["HEIRLOOM_DEMO"] = str(DEMO)
    time_known_requests(lines)
    play_open(program, lines)
    play_locked(program, lines)
    return lines.end()


if __name__ == "__main__":
    sys.exit(main())
