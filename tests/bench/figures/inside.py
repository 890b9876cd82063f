# SPDX-License-Identifier: Apache-2.0
"""Figures of one process: searches and builds against FAISS and hnswlib, over the same rows."""
import array
import gzip
import os

import rig as of
from figure import Figure, Ratio

FASHION = "/usr/share/datasets/fashion-mnist"
PIXELS, IDX_HEAD, LEAST_BEAM, MOST_BEAM = 784, 16, 10, 2000
RECALL, WITHIN = .99, .002
BUILT_ROWS, BUILD_BEAM, BATCH = 50000, 64, 64
LABELS = {"walk": "heirloom's walk", "same": "heirloom's walk, FAISS's graph", "shipped": "FAISS as Debian ships it",
          "wrapped": "FAISS over our kernels", "hnswlib": "hnswlib, -O3 -march=native"}


def fashion(rig, n_rows):
    """Photographs of clothes as bench_walk takes them: rows, then a thousand queries."""
    path = f"{rig.work}/fashion-{n_rows}.f32"
    if os.path.exists(path):
        return path
    with open(f"{path}.new", "wb") as out:
        for name, n in (("train", n_rows), ("t10k", of.N_QUERIES)):
            file = f"{FASHION}/{name}-images-idx3-ubyte.gz"
            if not os.path.exists(file):
                raise of.Failed(f"there is no {file}: deploy/packages bench brings it")
            with gzip.open(file) as images:
                images.read(IDX_HEAD)
                for _ in range(n):
                    array.array("f", list(images.read(PIXELS))).tofile(out)
    os.replace(f"{path}.new", path)
    return path


def least_beam(recall_at, wanted):
    """The narrowest beam that finds so much, for recall rises with the beam."""
    low, high = LEAST_BEAM, 2 * LEAST_BEAM
    while recall_at(high) < wanted:
        low, high = high + 1, 2 * high
        if high > MOST_BEAM:
            raise of.Failed(f"recall {wanted:.3f} is not reached with a beam of {low - 1}")
    while low < high:
        middle = (low + high) // 2
        if recall_at(middle) >= wanted:
            high = middle
        else:
            low = middle + 1
    return high


class Walk(Figure):
    """One thread, one query after the other, each side with the narrowest beam that finds .99 of the ten nearest
    (or what the best of them finds with the least beam there is)."""
    unit, targets = "us a query", ("tests/bench/bench_walk",)

    def __init__(self, rig, name, n_rows, dim, marks):
        super().__init__(rig)
        self.name, self.n_rows, self.dim, self.beams = name, n_rows, dim, {}
        self.title = f"search of {n_rows:,} x {dim}, one thread, equal recall"
        self.sides = dict(LABELS)
        self.ratios = [Ratio("FAISS / walk, same graph", "shipped", "same", marks[0]),
                       Ratio("FAISS / walk, each its own", "shipped", "walk", marks[0]),
                       Ratio("hnswlib / walk", "hnswlib", "walk", marks[1]),
                       Ratio("FAISS, our kernels / walk, same", "wrapped", "same")]

    def file(self):
        return fashion(self.rig, self.n_rows) if self.dim == PIXELS else None

    def prepare(self):
        bench, built = self.rig.walk_bench(self.n_rows, self.dim, self.file())
        for side in ("shipped", "hnswlib", "walk"):
            if side not in built:
                self.rig.say(f"{self.n_rows} x {self.dim}: building the graph of {side}")
                built[side] = bench.ask("build", side)["seconds"]
        self.notes["rows a second, built once each"] = ", ".join(
            f"{side} {self.n_rows / seconds:,.0f}" for side, seconds in built.items())
        self.bench, seen = bench, {}

        def recall(side, beam):
            if (side, beam) not in seen:
                seen[side, beam] = bench.ask(side, beam)["recall"]
            return seen[side, beam]
        wanted = max(RECALL, *(recall(side, LEAST_BEAM) for side in LABELS))
        for side in LABELS:
            self.beams[side] = least_beam(lambda beam, side=side: recall(side, beam), wanted)
        recalls = {side: recall(side, beam) for side, beam in self.beams.items()}
        self.notes["beam, recall@10"] = ", ".join(
            f"{side} {beam}, {recalls[side]:.4f}" for side, beam in self.beams.items())
        if max(recalls.values()) - min(recalls.values()) > WITHIN:
            self.notes["beware of the recalls"] = f"they differ by more than {WITHIN}"

    def turns(self):
        return [lambda side=side: {side: self.bench.ask(side, self.beams[side])["us"]} for side in LABELS]

    def done(self):
        if (self.n_rows, self.dim) != (self.options.n_rows, of.OLD_DIM) and (self.n_rows, self.dim) in self.rig.walks:
            self.rig.end_walk(self.n_rows, self.dim)


class Build(Figure):
    """A graph from nothing: ours with its segment written, opened and checked."""
    name, unit, better, targets = "build", "rows a second", "more", ("tests/bench/bench_walk",)

    def __init__(self, rig):
        super().__init__(rig)
        self.n_rows = min(rig.options.n_rows, BUILT_ROWS)
        self.title = f"building over {self.n_rows:,} x {of.OLD_DIM}, one thread, 32 links, efConstruction 100"
        self.sides = {"walk": "heirloom's segment", "hnswlib": LABELS["hnswlib"]}
        self.ratios = [Ratio("heirloom / hnswlib", "walk", "hnswlib", 1.0)]

    def prepare(self):
        self.bench = self.rig.turns("bench_walk", self.n_rows, of.OLD_DIM, 0)
        for side in self.sides:
            self.bench.ask("build", side)
        self.notes[f"recall@10 with beam {BUILD_BEAM}"] = ", ".join(
            f"{side} {self.bench.ask(side, BUILD_BEAM)['recall']:.4f}" for side in self.sides)

    def turns(self):
        return [lambda side=side: {side: self.n_rows / self.bench.ask("build", side)["seconds"]} for side in self.sides]

    def done(self):
        if hasattr(self, "bench"):
            self.rig.end(self.bench)


class Exact(Figure):
    """All rows compared, many queries at once: as FAISS's flat index does, and through sketches with a bound."""
    name, unit, targets = "exact", "us of processor time a query", ("tests/bench/bench_exact",)
    METRICS = {"l2": "Euclid", "dot": "Dot"}

    def __init__(self, rig):
        super().__init__(rig)
        self.title = f"exact search of {rig.options.n_rows:,} x {of.OLD_DIM} in batches of {BATCH}, one thread"
        self.sides = {f"{side} {metric}": f"{label}, {name}" for metric, name in self.METRICS.items()
                      for side, label in (("heirloom", "heirloom"), ("faiss", "FAISS flat as shipped"))}
        self.ratios = [Ratio(f"FAISS / heirloom, {name}", f"faiss {metric}", f"heirloom {metric}", 15)
                       for metric, name in self.METRICS.items()]
        self.recalls = {}

    def prepare(self):
        self.bench = self.rig.turns("bench_exact", self.options.n_rows, of.OLD_DIM, 0)
        for turn in self.turns():
            turn()   # FAISS takes its rows the first time

    def measure(self, side, metric):
        said = self.bench.ask(side, metric, BATCH)
        if side == "heirloom":
            self.recalls[metric] = min(said["recall"], self.recalls.get(metric, 1))
            self.notes["least recall of all rounds"] = ", ".join(
                f"{self.METRICS[metric]} {recall:.4f}" for metric, recall in self.recalls.items())
        return {f"{side} {metric}": said["us"]}

    def turns(self):
        return [lambda side=side, metric=metric: self.measure(side, metric)
                for metric in self.METRICS for side in ("heirloom", "faiss")]

    def done(self):
        if hasattr(self, "bench"):
            self.rig.end(self.bench)


class Cores(Figure):
    """The bare search loop of the server's own folder, one thread on each processor."""
    name, unit, better, targets = "cores", "searches a second", "more", ("tests/bench/bench_loop", "tests/bench/bench_rows")

    def __init__(self, rig):
        super().__init__(rig)
        self.title = f"bare search loop of {rig.options.n_rows:,} x {of.OLD_DIM}, two processors against one"
        self.sides = {"one": "one thread", "two": "two threads"}
        self.ratios = [Ratio("two / one", "two", "one", 1.7)]

    def prepare(self):
        self.loop = Loop(self.rig)

    def turns(self):
        load, server = self.options.cores
        return [lambda: {"one": self.loop.search(server)["rate"]},
                lambda: {"two": self.loop.search(server, load)["rate"]}]

    def done(self):
        if hasattr(self, "loop"):
            self.loop.end()


class Loop:
    """bench_loop over a copy of the gallery."""

    def __init__(self, rig, copy="copy"):
        self.rig = rig
        folder = rig.copy(rig.gallery(rig.options.n_rows, of.OLD_DIM), copy)
        self.bench = rig.turns("bench_loop", rig.collection_folder(folder), "old", rig.options.n_rows, rig.options.beam,
                               cores=rig.both)
        self.search(*rig.options.cores)   # what is mapped is in memory from now on

    def search(self, *cores):
        return self.bench.ask("search", self.rig.options.seconds, *cores)

    def paced(self, core, rate):
        return self.bench.ask("paced", self.rig.options.seconds, core, rate)

    def recall(self, beam):
        return self.bench.ask("recall", beam)["recall"]

    def end(self):
        self.rig.end(self.bench)
