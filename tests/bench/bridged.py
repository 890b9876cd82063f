# SPDX-License-Identifier: Apache-2.0
"""What a bridge adds to a query: processor time of the server for a query of a model of 512 dimensions that
goes through a bridge, over that of the same query of the gallery's own model of 256.

    bridged.py HEIRLOOM [POINTS [ROUNDS [HIDDEN]]]

Both maps of the bridge are dense matrices that lead to the very vector that the plain query sends, so that
both search alike; at fidelity .5 both are applied, at 1 one of them. HIDDEN is the width of their residuals (0: none). Turn
about, in blocks of one kind; printed are the medians. Run it on a release build and an idle machine."""
import glob
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "compat"))
import gallery as of  # noqa: E402
import numpy as np  # noqa: E402

NEW, OLD, N_CLUSTERS, LATENT, BLOCK, N_QUERIES, LIMIT = 512, 256, 2000, 32, 400, 200, 10


def rows_of(random, n):
    """Clusters in few dimensions, bent, with noise, as tests/support/gallery.h makes them."""
    spectrum = 1 / np.sqrt(1 + np.arange(LATENT))
    centres, bend = random.normal(size=(N_CLUSTERS, LATENT)), random.normal(size=(LATENT, OLD)) / 2
    which = random.integers(0, N_CLUSTERS, n)
    inner = (centres[which] + .5 * random.normal(size=(n, LATENT))) * spectrum
    return of.files.unit(np.tanh(inner @ bend) + .05 * random.normal(size=(n, OLD)))


def cpu_seconds(pid):
    """All threads, from the scheduler's own count of nanoseconds."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Bench:
    def __init__(self, server, n_points, hidden):
        self.server, random = server, np.random.default_rng(1)
        rows = rows_of(random, n_points + N_QUERIES)
        server.result("PUT", "/bench", {"vectors": {"old": {"size": OLD, "distance": "Cosine"},
                                                    "new": {"size": NEW, "distance": "Cosine"}}})
        for at in range(0, n_points, 1000):
            server.result("PUT", "/bench/points?wait=true", {"points": [
                {"id": i, "vector": {"old": of.text_of(rows[i])}} for i in range(at, min(at + 1000, n_points))]})
        self.put_bridge(hidden)
        server.job("/bench/bridges/new/old/activate", {"strategy": "backward", "fidelity": .5})
        while server.result("GET", "/bench")["status"] != "green":
            time.sleep(.2)
        self.bodies = {"plain": [], "bridged": [], "one map": []}
        for row in rows[n_points:]:
            wide = np.concatenate([row, .3 * random.normal(size=NEW - OLD) / 16])
            self.bodies["plain"].append({"query": of.text_of(row), "using": "old", "limit": LIMIT})
            through = {"query": of.text_of(wide), "using": "new", "limit": LIMIT}
            self.bodies["bridged"].append(through)
            self.bodies["one map"].append({**through, "params": {"fidelity": 1}})

    def put_bridge(self, hidden):
        prints = {m["name"]: m["fingerprint"] for m in self.server.result("GET", "/bench/models")["models"]}
        tensors = {}
        for name in ("judged", "faithful"):
            tensors[f"{name}.weight"] = np.eye(OLD, NEW, dtype="f4")
            if hidden:
                tensors[f"{name}.down.weight"] = np.full((hidden, NEW), .01, "f4")
                tensors[f"{name}.up.weight"] = np.full((OLD, hidden), 1e-9, "f4")
        of.files.save_tensors("bridge.safetensors", tensors, {
            "format_version": "1", "from": "new", "to": "old", "from_fingerprint": prints["new"],
            "to_fingerprint": prints["old"]})
        with open("bridge.safetensors", "rb") as file:
            self.server.result("PUT", "/bench/bridges/new/old", file.read())

    def block(self, kind):
        """Processor microseconds of the server for one request."""
        before = cpu_seconds(self.server.process.pid)
        for i in range(BLOCK):
            status, raw = self.server.ask("POST", "/bench/points/query", self.bodies[kind][i % N_QUERIES])
            assert status == 200, raw
        return (cpu_seconds(self.server.process.pid) - before) / BLOCK * 1e6

    def same_hits(self):
        found = {kind: [[hit["id"] for hit in self.server.result("POST", "/bench/points/query", body)["points"]]
                        for body in self.bodies[kind][:50]] for kind in self.bodies}
        return np.mean([len(set(a) & set(b)) / LIMIT for a, b in zip(found["plain"], found["bridged"])])


def main():
    n_points, n_rounds, hidden = (int(a) for a in (sys.argv[2:] + ["200000", "25", "0"][len(sys.argv) - 2:]))
    program, worst = os.path.abspath(sys.argv[1]), 0
    with tempfile.TemporaryDirectory(prefix="heirloom-bench-") as place:
        os.chdir(place)
        server = of.Server(program, place)
        bench = Bench(server, n_points, hidden)
        print(f"{n_points} points, hidden {hidden}: {bench.same_hits():.3f} of the hits are the same", flush=True)
        times = {kind: [] for kind in bench.bodies}
        for turn in range(n_rounds + 1):
            for kind in times if turn % 2 else reversed(times):
                took = bench.block(kind)
                if turn > 0:  # the first warms up
                    times[kind].append(took)
        for kind in ("bridged", "one map"):
            ratios = np.array(times[kind]) / np.array(times["plain"])
            worst = max(worst, np.median(ratios))
            print(f"{kind}: plain {np.median(times['plain']):.1f} us, bridged {np.median(times[kind]):.1f} us of "
                  f"processor time each, {n_rounds * BLOCK} requests of either: {np.median(ratios):.3f} times "
                  f"({np.quantile(ratios, .25):.3f} to {np.quantile(ratios, .75):.3f}; of the least disturbed blocks "
                  f"{min(times[kind]) / min(times['plain']):.3f}), at most 1.10", flush=True)
        status = server.stop()
        os.chdir("/")
    return 0 if worst <= 1.10 and status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
