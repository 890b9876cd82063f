#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The migration that README.md shows, as it stands there: its lines are typed one after the other, and the
figures of its table are measured again.

    readme.py HEIRLOOM"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "deploy" / "demo"
sys.path[:0] = [str(ROOT / "tests" / "compat"), str(DEMO)]
import cut  # noqa: E402
import files  # noqa: E402
import gallery as g  # noqa: E402
import numpy as np  # noqa: E402

CHAPTER = "### A new model, and back"
AGREES = .01   # another processor's rounding makes another bridge


def chapter():
    return (ROOT / "README.md").read_text(encoding="utf-8").split(CHAPTER)[1].split("\n#")[0]


def blocks(text):
    """Lines that are typed: of each block those that are indented."""
    out, was = [], False
    for line in text.split("\n"):
        is_typed = line.startswith("    ")
        if is_typed and not was:
            out.append([])
        if is_typed:
            out[-1].append(line.strip())
        was = is_typed
    return out


class Terminal:
    """What is typed into one shell; variables stay."""

    def __init__(self, program, port):
        self.program, self.port, self.set = program, port, []

    def call(self, found):
        return f"{self.program} import --url http://127.0.0.1:{self.port}" if found[1] else self.program

    def type(self, line):
        line = line.replace("127.0.0.1:6333", f"127.0.0.1:{self.port}")
        line = re.sub(r"build/release/server/heirloom( import)?", self.call, line)
        if re.match(r"\w+=", line):
            self.set.append(line)
            return None
        done = subprocess.run(["bash", "-c", "\n".join([*self.set, line])], cwd=ROOT, capture_output=True,
                              text=True, timeout=400)
        return done.stdout if line.startswith("curl") else str(done.returncode)


def is_well(said):
    return said == "0" or (said.startswith("{") and json.loads(said)["status"] == "ok")


# ---- the figures ----

def table(text):
    """Numbers of each row of the last table, by its first two cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n") if line.startswith("|")]
    return {(row[0], row[1]): [float(cell) if cell else None for cell in row[2:]] for row in rows[2:]}


def found_itself(queries, items):
    """Of how many a query stands among the ten nearest of its own item."""
    n = 0
    for at in range(0, len(queries), 1000):
        scores = queries[at:at + 1000] @ items.T
        own = scores[np.arange(len(scores)), np.arange(at, at + len(scores))]
        n += ((scores > own[:, None]).sum(1) < 10).sum()
    return n / len(queries)


class Figures:
    def __init__(self, bridge):
        self.bridge = bridge
        models, labels, _ = files.load_dataset(DEMO / "queries.safetensors")
        self.old, self.new = files.unit(models["@default"]), files.unit(models["v3"])
        self.query_labels = labels
        self.items = {name: files.unit(np.load(DEMO / name)) for name in ("gallery.npy", "gallery_v3.npy")}
        with open(DEMO / "gallery.ndjson", encoding="utf-8") as payloads:
            self.labels = np.array([cut.LABELS.index(json.loads(line)["label"]) for line in payloads])

    def of(self, queries, items):
        order = np.argsort(-(queries @ items.T), 1, kind="stable")
        return [g.first_is_right(order, self.query_labels, self.labels).mean(),
                g.precisions(order, self.query_labels, self.labels).mean()]

    def through(self, fidelity):
        old_items, new_items = self.items["gallery.npy"], self.items["gallery_v3.npy"]
        return (self.of(files.map_queries(self.bridge, self.new, fidelity), old_items) +
                [found_itself(files.map_queries(self.bridge, new_items, fidelity), old_items)])

    def row(self, queries, gallery):
        if queries == "old":
            return self.of(self.old, self.items["gallery.npy"]) + [None]
        if gallery != "old":
            return self.of(self.new, self.items["gallery_v3.npy"]) + [None]
        return self.through(float(re.search(r"\(fidelity (\S+)\)", queries)[1]))


def agree(said, measured):
    return all((a is None) == (b is None) and (a is None or abs(a - b) <= AGREES)
               for a, b in zip(said, measured, strict=True))


def play(server, program, lines):
    loaded = subprocess.run([program, "demo", "--url", f"http://127.0.0.1:{server.port}", "--data", DEMO],
                            capture_output=True, timeout=100)
    lines.say("the demo gallery is loaded", loaded.returncode == 0)
    terminal, text = Terminal(program, server.port), chapter()
    migration, afterwards = blocks(text)
    typed = [line for line in migration if line.startswith("curl")]
    lines.say("it is ten lines of curl", len(typed) == 10)
    routes = []
    for line in migration:
        said = terminal.type(line)
        if said is None:
            continue
        lines.say(line, is_well(said))
        if not is_well(said):
            lines.note(said[:800])
        routes.append(server.result("GET", "/demo/route?key=anna"))
    lines.say("the swap ends in shadow, promote routes to the new model, rollback to the old one",
              [(r["model"], r["stage"]) for r in (routes[5], routes[8], routes[9])] ==
              [("@default", "shadow"), ("v3", "live"), ("@default", "shadow")])

    pair = server.result("GET", "/demo/bridges/v3/@default")
    path = f"{server.folder}/bridge.safetensors"
    with open(path, "wb") as file:
        file.write(server.ask("GET", "/demo/bridges/v3/@default?format=safetensors")[1])
    figures = Figures(files.load_tensors(path))
    lines.note(f"served at fidelity {pair['fidelity']}")
    for row, said in table(text).items():
        values = figures.row(*row)
        lines.note(f"| {row[0]} | {row[1]} | " + " | ".join(
            "" if value is None else f"{value:.3f}".lstrip("0") for value in values) + " |")
        lines.say(f"its figures of {' > '.join(row)}", agree(said, values))
    for line in afterwards:
        said = terminal.type(line)
        lines.say(line, is_well(said))
    seen = {m["name"]: m["points"] for m in server.result("GET", "/demo/models")["models"]}
    lines.say("in the end both models have seen every photograph", seen == {"@default": 10000, "v3": 10000})


def main():
    program, lines = str(pathlib.Path(sys.argv[1]).resolve()), g.Lines()
    with tempfile.TemporaryDirectory(prefix="heirloom-readme-") as folder:
        server = g.Server(program, folder)
        try:
            play(server, program, lines)
        finally:
            ended = server.stop()
        lines.say("the server stops with status 0", ended == 0)
    return lines.end()


if __name__ == "__main__":
    sys.exit(main())
