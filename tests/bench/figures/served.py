# SPDX-License-Identifier: Apache-2.0
"""Figures of the whole server: what HTTP, bodies and bridges cost, how long the slowest wait, writes and restarts."""
import glob
import shutil
import threading
import time

import rig as of
import spread
from figure import Figure, Ratio
from inside import LABELS, LEAST_BEAM, RECALL, Loop, least_beam

CLIENTS, WRITERS, TAILS, N_COMPARED, FIRST_WRITTEN, WARM_UP_S = 8, 16, 4, 50, 10_000_000, .5
SEARCHES = ("server/heirloom", "tests/bench/bench_rows")
FORMS = {"json": "JSON", "base64": "base64", "raw": "raw float32"}


class Gallery(Figure):
    """A figure over a server that has the gallery, asked by queries that are not in it."""
    targets = SEARCHES

    def serve(self, folder=None):
        """Starts it, and makes the queries that `search` sends."""
        rig, n = self.rig, self.options.n_rows
        folder = folder or rig.gallery(n, of.OLD_DIM)
        self.queries = {"old": rig.rows(n, of.N_QUERIES, of.OLD_DIM)}
        wide = rig.rows(n, of.N_QUERIES, of.OLD_DIM, of.NEW_DIM)
        self.queries |= {model: wide for model in of.MODELS}
        self.server = rig.server(folder)
        self.server.await_green(.5)

    def search(self, model, form, *words, beam=None, seconds=None, warm_up=WARM_UP_S, server=None):
        return self.rig.load(server or self.server, "--using", model, "--queries", self.queries[model], "--form", form,
                             "--limit", 10, "--ef", beam or self.options.beam, "--connections", CLIENTS, *words,
                             seconds=seconds or self.options.seconds, warm_up=warm_up, notes=self.notes)

    def done(self):
        if getattr(self, "server", None):
            self.rig.end(self.server)


class AgainstLoop(Gallery):
    """Queries of 512 floats go through a bridge of one map; the loop searches with what it leads to."""
    name, unit, better = "server-loop", "searches a second", "more"
    targets = (*SEARCHES, "tests/bench/bench_loop")

    def __init__(self, rig):
        super().__init__(rig)
        self.title = (f"whole server against its own bare search loop, one processor, {rig.options.n_rows:,} points, "
                      f"512 floats mapped to 256")
        self.sides = {"loop": "bare search loop", **{form: f"server, {label}" for form, label in FORMS.items()}}
        self.ratios = [Ratio(f"{label} / loop", form, "loop", .75 if form == "json" else .82)
                       for form, label in FORMS.items()]

    def prepare(self):
        self.loop = Loop(self.rig)
        self.serve()
        self.notes["beam, recall@10"] = f"{self.options.beam}, {self.loop.recall(self.options.beam):.4f}"
        self.cpu_us = {side: [] for side in self.sides}

    def measure(self, side):
        """Its rate, and for a note what a search took of the processor: what others do bends that less."""
        if side == "loop":
            said = self.loop.search(self.options.cores[1])
            rate, cpu_us = said["rate"], said["cpu_us"]
        else:
            before = of.cpu_s(self.server.process)
            rate = self.search("new", side)["rate"]
            spent = of.cpu_s(self.server.process) - before
            cpu_us = spent / (rate * (self.options.seconds + WARM_UP_S)) * 1e6
        self.cpu_us[side].append(cpu_us)
        self.notes["us of processor time a search, about"] = ", ".join(
            f"{side} {spread.text(spread.quantile(values, .5))}" for side, values in self.cpu_us.items() if values)
        return {side: rate}

    def turns(self):
        return [lambda side=side: self.measure(side) for side in self.sides]

    def done(self):
        super().done()
        if hasattr(self, "loop"):
            self.loop.end()


class AgainstFaiss(Gallery):
    """The whole server, JSON and map and all, against a bare loop over FAISS, each with the narrowest beam that finds
    .99 of the ten nearest (or what the better one finds with the least beam there is)."""
    name, unit, better = "server-faiss", "searches a second", "more"
    targets = (*SEARCHES, "tests/bench/bench_loop", "tests/bench/bench_walk")

    def __init__(self, rig):
        super().__init__(rig)
        self.title = (f"whole server against a bare loop over Debian's FAISS, one processor, {rig.options.n_rows:,} "
                      f"points, 512 floats mapped to 256")
        self.sides = {"faiss": LABELS["shipped"] + ", loop", "json": "server, JSON"}
        self.ratios = [Ratio("server / FAISS loop", "json", "faiss", 3.0)]

    def prepare(self):
        loop = Loop(self.rig)
        self.faiss, built = self.rig.walk_bench(self.options.n_rows, of.OLD_DIM)
        if "shipped" not in built:
            self.rig.say("building FAISS's graph")
            built["shipped"] = self.faiss.ask("build", "shipped")["seconds"]
        recalls = {"server": loop.recall, "FAISS": lambda beam: self.faiss.ask("shipped", beam)["recall"]}
        wanted = max(RECALL, *(recall(LEAST_BEAM) for recall in recalls.values()))
        self.beams = {side: least_beam(recall, wanted) for side, recall in recalls.items()}
        self.notes["beam, recall@10"] = "; ".join(
            f"{side} {beam}, {recalls[side](beam):.4f}" for side, beam in self.beams.items())
        loop.end()
        self.serve()

    def turns(self):
        return [lambda: {"faiss": 1e6 / self.faiss.ask("shipped", self.beams["FAISS"])["us"]},
                lambda: {"json": self.search("new", "json", beam=self.beams["server"])["rate"]}]


class Latency(Gallery):
    """Searches that come at a fixed rate, half of the highest, whether or not the ones before are answered; each is
    timed from when it was to begin. Beside them the bare search loop, likewise, and the least server there can be, with
    arithmetic in place of a request's work: their slowest are the machine's doing, and the load's."""
    name, unit = "latency", "us"
    targets = (*SEARCHES, "tests/bench/bench_loop", "tests/bench/epoll_server")
    KINDS = {"loop": "bare search loop", "least": "least server", "quiet": "quiet", "busy": "seal and merge",
             "poisson": "at random times", "writes": "one in ten writes", "snapshot": "snapshot"}

    def __init__(self, rig):
        super().__init__(rig)
        self.title = f"latency at half of the highest load, open loop, one processor, {rig.options.n_rows:,} points"
        self.sides = {f"{kind} {p}": f"{label}, {p}" for kind, label in self.KINDS.items() for p in ("p50", "p99")}
        self.ratios = [Ratio("quiet, p99 / p50", "quiet p99", "quiet p50", 3, at_most=True),
                       Ratio("seal and merge, p99 / p50", "busy p99", "busy p50", 4, at_most=True),
                       Ratio("seal and merge p99 / quiet p50", "busy p99", "quiet p50"),
                       *(Ratio(f"{self.KINDS[kind]}, p99 / p50", f"{kind} p99", f"{kind} p50")
                         for kind in ("loop", "least", "poisson", "writes", "snapshot"))]
        self.seen = {"sealed": 0, "merged": 0}
        self.was_busy, self.rates = [], []

    def prepare(self):
        self.serve(self.rig.copy(self.rig.gallery(self.options.n_rows, of.OLD_DIM)))
        self.loop = Loop(self.rig, "alone")
        self.written = self.rig.bodies(FIRST_WRITTEN, TAILS * self.options.seal_rows, of.OLD_DIM)
        self.write()   # so that what is written in a round replaces as much
        self.server.await_green()
        self.half()
        self.least = self.rig.least_server(self.server, 1e6 / self.rates[-1])

    def half(self):
        """Of the highest load now: a processor that others use as well is twice as fast at one time as at another."""
        self.rates.append(self.search("new", "json", seconds=1)["rate"])
        self.notes["searches a second"] = f"half of {min(self.rates):.0f} to {max(self.rates):.0f}, as it was before each turn"
        return int(self.rates[-1] / 2)

    def write(self):
        for body in self.written:
            self.server.put("/collections/bench/points?wait=true", body)

    def measure(self, kind, *words, model="new", seconds=None, rate=None):
        said = self.search(model, "json", "--rate", rate or self.half(), *words, seconds=seconds)["kinds"]["search"]
        return {f"{kind} {p}": said["latency_us"][p] for p in ("p50", "p99")}

    def alone(self):
        core = self.options.cores[1]
        said = self.loop.paced(core, self.loop.search(core)["rate"] / 2)
        return {f"loop {p}": said[p] for p in ("p50", "p99")}

    def least_alone(self):
        """No search, no JSON, no code to speak of: at half of what the least server can do, as the others are."""
        highest = self.search("new", "json", seconds=1, server=self.least)["rate"]
        said = self.search("new", "json", "--rate", int(highest / 2), server=self.least)["kinds"]["search"]
        return {f"least {p}": said["latency_us"][p] for p in ("p50", "p99")}

    def writes(self):
        return self.measure("writes", "--mix", "search=9,upsert=1", "--write-ids",
                            f"{FIRST_WRITTEN}:{FIRST_WRITTEN + len(self.written) * 1000 - 1}", model="old")

    def snapshot(self):
        """The longer one of both is waited for."""
        path, made, rate = "/collections/bench/snapshots", [], self.half()
        maker = threading.Thread(target=lambda: made.append(self.server.ask("POST", path)["name"]))
        maker.start()
        values = self.measure("snapshot", rate=rate)
        maker.join()
        if not made:
            raise of.Failed("the snapshot was not made")
        self.server.ask("DELETE", f"{path}/{made[0]}")
        return values

    def busy(self):
        """Four tails are filled, and then it is measured while they are sealed and merged. Nobody looks meanwhile: a
        look takes a processor as well."""
        rate = self.half()
        self.write()
        before = self.server.events(self.seen)
        values = self.measure("busy", seconds=self.options.busy_seconds, rate=rate)
        self.was_busy.append(not self.server.is_green())
        for name, n in self.server.events(self.seen).items():
            self.seen[name] += n - before[name]
        self.notes["while it was measured"] = (
            f"{self.seen['sealed']} segments were sealed and {self.seen['merged']} merged in all; at the end of "
            f"{sum(self.was_busy)} of {len(self.was_busy)} turns there was still something to do")
        self.server.await_green()
        return values

    def turns(self):
        return [lambda: self.measure("quiet"), self.least_alone, self.alone,
                lambda: self.measure("poisson", "--arrivals", "poisson"), self.writes, self.snapshot, self.busy]

    def done(self):
        super().done()
        if hasattr(self, "least"):
            self.rig.end(self.least)
        if hasattr(self, "loop"):
            self.loop.end()


class Bridged(Gallery):
    """Processor time of the server for one query, from the scheduler. The vectors that are searched with are the
    same on all sides."""
    name, unit = "bridged", "us of processor time a query"
    SIDES = {"plain": "old", "one map": "new", "two maps": "both", "residual": "wide"}

    def __init__(self, rig):
        super().__init__(rig)
        self.title = f"bridged queries of 512 against plain ones of 256, {rig.options.n_rows:,} points"
        self.sides = {"plain": "plain", "one map": "through one map", "two maps": "through two maps",
                      "residual": f"one map, residual of {of.HIDDEN}"}
        self.ratios = [Ratio("one map / plain", "one map", "plain", 1.1, at_most=True),
                       Ratio("two maps / plain", "two maps", "plain", 1.1, at_most=True),
                       Ratio("with residual / plain", "residual", "plain")]

    def prepare(self):
        self.serve()
        plain = self.found("old")
        self.notes["hits that the plain query finds as well"] = ", ".join(
            f"{side} {sum(len(a & b) for a, b in zip(plain, self.found(model))) / (10 * N_COMPARED):.3f}"
            for side, model in self.SIDES.items() if side != "plain")

    def found(self, model):
        """The ten nearest of some queries."""
        width = of.OLD_DIM if model == "old" else of.NEW_DIM
        with open(self.queries[model], "rb") as file:
            data = file.read()[of.NPY_HEAD:]
        vectors = [data[i * 4 * width:(i + 1) * 4 * width] for i in range(N_COMPARED)]
        return [{hit["id"] for hit in self.server.ask("POST", "/collections/bench/points/query", {
            "query": of.text_of(vector), "using": model, "limit": 10,
            "params": {"hnsw_ef": self.options.beam}})["points"]} for vector in vectors]

    def measure(self, side):
        before = of.cpu_s(self.server.process)
        said = self.search(self.SIDES[side], "base64", warm_up=0)
        return {side: (of.cpu_s(self.server.process) - before) / said["requests"] * 1e6}

    def turns(self):
        return [lambda side=side: self.measure(side) for side in self.sides]


class Writers(Figure):
    """Each waits until its point is on the disk. A collection of its own for each turn."""
    name, unit, better = "writers", "durable upserts a second", "more"
    targets = SEARCHES

    def __init__(self, rig):
        super().__init__(rig)
        self.title = f"{WRITERS} writers against one, durable, points of {of.OLD_DIM} floats"
        self.sides = {"one": "one writer", "many": f"{WRITERS} writers"}
        self.ratios = [Ratio(f"{WRITERS} / one", "many", "one", 4)]

    def prepare(self):
        shutil.rmtree(f"{self.rig.work}/writers", ignore_errors=True)
        self.server = self.rig.server(f"{self.rig.work}/writers")
        self.vectors = self.rig.rows(0, of.N_QUERIES, of.OLD_DIM)

    def measure(self, side, n):
        self.server.ask("PUT", "/collections/bench", {"vectors": {"size": of.OLD_DIM, "distance": "Cosine"}})
        try:
            said = self.rig.load(self.server, "--mix", "upsert=1", "--form", "base64", "--queries", self.vectors,
                                 "--write-ids", "0:100000000", "--connections", n, seconds=self.options.seconds,
                                 notes=self.notes)
        finally:
            self.server.ask("DELETE", "/collections/bench")
        return {side: said["rate"]}

    def turns(self):
        return [lambda: self.measure("one", 1), lambda: self.measure("many", WRITERS)]

    def done(self):
        if hasattr(self, "server"):
            self.rig.end(self.server)


class Restart(Figure):
    """From the start of the process to the answer of the first search, on all processors; and how long it takes
    until the graphs are there again when the segments have gone, once."""
    name, unit, is_large, targets = "restart", "seconds", True, SEARCHES

    def __init__(self, rig, n_rows, dim):
        super().__init__(rig)
        self.n_rows, self.dim, self.rebuilt = n_rows, dim, None
        self.title = f"ready after a restart with {n_rows:,} x {dim}, against making its graphs anew"
        self.sides = {"restart": "restart", "rebuild": "graphs made anew"}
        self.ratios = [Ratio("restart / rebuild", "restart", "rebuild", .1, at_most=True)]

    def prepare(self):
        self.folder = self.rig.copy(self.rig.gallery(self.n_rows, self.dim, is_bridged=False))
        with open(self.rig.rows(self.n_rows, 1, self.dim), "rb") as file:
            self.query = of.text_of(file.read()[of.NPY_HEAD:])
        self.rebuilt = self.rebuild()
        self.notes["rebuild"] = "measured once; without segments the first answer came after " \
                                f"{self.first_answer:.2f} s, from rows without a graph"

    def start(self):
        """The server, and how long its first answer took."""
        since = time.monotonic()
        server = self.rig.server(self.folder, self.rig.both)
        server.ask("POST", "/collections/bench/points/query", {"query": self.query, "using": "old", "limit": 1})
        return server, time.monotonic() - since

    def rebuild(self):
        for path in glob.glob(f"{self.folder}/data/collections/*/segments/*"):
            shutil.rmtree(path)
        since = time.monotonic()
        server, self.first_answer = self.start()
        server.await_green()
        took = time.monotonic() - since - of.CALM_S
        self.rig.end(server)
        return took

    def restart(self):
        server, took = self.start()
        self.rig.end(server)
        return {"restart": took, "rebuild": self.rebuilt}

    def turns(self):
        return [self.restart]
