# SPDX-License-Identifier: Apache-2.0
"""What figures are measured with: processes pinned to a processor, benches that take turns, a server with a
gallery, and the load on it."""
import base64
import contextlib
import glob
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "wire"))
import openapi  # noqa: E402
import walk as wire  # noqa: E402

OLD_DIM, NEW_DIM, N_QUERIES, HIDDEN = 256, 512, 1000, 64
LONG_S, CALM_S = 4 * 3600, 2.0
NPY_HEAD = 128   # bytes, as tests/bench/rows.c writes them
MODELS = {"new": 1, "both": 2, "wide": 1}   # of NEW_DIM, and how many maps their bridge to "old" has
SEAL_ROWS = "HEIRLOOM__SEARCH__SEAL_ROWS"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}   # of those whom we compare with


class Failed(Exception):
    """A sentence for the report."""


@contextlib.contextmanager
def pinned(cores):
    """What is started meanwhile runs there, with all its threads."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(argv, what, limit=LONG_S):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=limit,
                          errors="replace")
    if done.returncode != 0:
        raise Failed(f"{what} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def cpu_s(process):
    """Of all threads it has now, from the scheduler's own count of nanoseconds."""
    total = 0
    for path in glob.glob(f"/proc/{process.pid}/task/*/schedstat"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


class Turns:
    """A bench that takes turns: see tests/bench/turns.h."""

    def __init__(self, argv, cores):
        self.name = pathlib.Path(argv[0]).name
        with pinned(cores):
            self.process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
        self.ready = self.answer(LONG_S)

    def answer(self, limit):
        timer = threading.Timer(limit, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline().strip()
        finally:
            timer.cancel()
        if not line:
            raise Failed(f"{self.name} ended with {self.process.wait(30)}")
        if line.startswith("error "):
            raise Failed(f"{self.name}: {line[6:]}")
        return {name: float(value) for name, value in (pair.split("=") for pair in line.split() if "=" in pair)}

    def ask(self, *words, limit=LONG_S):
        try:
            self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"{self.name} ended with {self.process.wait(30)}") from None
        return self.answer(limit)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Server:
    """heirloom over a folder of data, on some processors."""

    def __init__(self, program, folder, cores, settings=None):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        with pinned(cores):
            try:
                self.process, self.port = openapi.start(str(program), folder, settings)
            except SystemExit:
                raise Failed(f"the server did not start: {self.last_line()}") from None
        self.url = f"http://127.0.0.1:{self.port}"

    def ask(self, method, path, body=None):
        status, _, raw = wire.ask(self.port, method, path, body)
        if status != 200:
            raise Failed(f"{method} {path} was answered with {status}: {raw[:200]!r}")
        return json.loads(raw)["result"]

    def put(self, path, body):
        """A body that is JSON already; again while rows come faster than they are indexed."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        status = 429
        while status == 429:
            line.request("PUT", path, body, {"Content-Type": "application/json"})
            reply = line.getresponse()
            raw, status = reply.read(), reply.status
            if status == 429:
                time.sleep(.1)
        line.close()
        if status != 200:
            raise Failed(f"PUT {path} was answered with {status}: {raw[:200]!r}")

    def job(self, path, body):
        job = self.ask("POST", f"{path}?wait=true&timeout=600", body)
        if job["state"] != "done":
            raise Failed(f"{path}: {job}")

    def is_green(self):
        return self.ask("GET", "/collections/bench")["status"] == "green"

    def await_green(self, calm_s=CALM_S):
        """Sealed and merged, and nothing begins anew."""
        since, until = None, time.monotonic() + LONG_S
        while since is None or time.monotonic() - since < calm_s:
            if time.monotonic() > until:
                raise Failed("the gallery does not come to rest")
            since = (since or time.monotonic()) if self.is_green() else None
            time.sleep(.1)

    def events(self, names):
        """How often the log has said each so far."""
        with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as file:
            text = file.read()
        return {name: text.count(f"event={name} ") for name in names}

    def last_line(self):
        with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as file:
            return (file.read().strip().split("\n") or [""])[-1]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        return status


class LeastServer:
    """tests/bench/epoll_server.c: says the same to everybody, after so many microseconds of arithmetic."""

    def __init__(self, program, file, work_us, cores):
        with pinned(cores):
            self.process = subprocess.Popen([str(program), file, str(work_us)], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().strip()
        if not line.startswith("port="):
            self.stop()
            raise Failed("epoll_server did not start")
        self.url = f"http://127.0.0.1:{line[5:]}"

    def stop(self):
        self.process.kill()
        self.process.stdout.close()
        self.process.wait()


def text_of(floats):
    return base64.b64encode(floats).decode()


def bridge_file(prints, model, n_maps):
    """Dense matrices that lead a wide vector to the one that its first numbers are, so that a query through the
    bridge searches as the plain one does. "wide" has a residual that adds next to nothing."""
    eye = b"".join(wire.floats(*(float(i == at) for i in range(NEW_DIM))) for at in range(OLD_DIM))
    tensors = []
    for name in ("faithful", "judged")[:n_maps]:
        tensors.append((f"{name}.weight", "F32", [OLD_DIM, NEW_DIM], eye))
        if model == "wide":
            tensors.append((f"{name}.down.weight", "F32", [HIDDEN, NEW_DIM], wire.floats(*[.01] * (HIDDEN * NEW_DIM))))
            tensors.append((f"{name}.up.weight", "F32", [OLD_DIM, HIDDEN], wire.floats(*[1e-9] * (OLD_DIM * HIDDEN))))
    return wire.safetensors(*tensors, metadata={
        "format_version": "1", "from": model, "to": "old", "from_fingerprint": prints[model],
        "to_fingerprint": prints["old"]})


def checked(said, failed, notes):
    """A load that failed says why; one that was not itself leaves a note."""
    if said["failed"] or not said["requests"] or failed:
        why = "; ".join(f"{error['n']} times {error['status']} {error['error']}" for error in said["errors"][:3])
        raise Failed(f"{said['failed']} of {said['requests']} requests failed: {why or failed}")
    for name, what in (("was_limit", "it was the limit itself, not the server"),
                       ("was_late", "requests went out late through no fault of the server")):
        if said["generator"].get(name):
            notes["beware of the load"] = f"{what}, in one turn or more"
    return said


class Rig:
    def __init__(self, options):
        """`options`: what the command was told (tests/bench/run)."""
        self.options, self.work = options, options.work
        self.heirloom = options.build / "server" / "heirloom"
        self.load_cores, self.server_cores = {options.cores[0]}, {options.cores[1]}
        self.both = self.load_cores | self.server_cores
        self.open = []     # what is to be ended, newest last
        self.walks = {}

    def say(self, what):
        print(f"    … {what}", file=sys.stderr, flush=True)

    # ---- what is started ----

    def keep(self, thing):
        self.open.append(thing)
        return thing

    def end(self, thing):
        self.open.remove(thing)
        return thing.close() if hasattr(thing, "close") else thing.stop()

    def end_all(self):
        """And what only this run is of use to, where the folder is kept."""
        for thing in reversed(self.open[:]):
            with contextlib.suppress(Exception):
                self.end(thing)
        for name in ("copy", "alone", "writers"):
            shutil.rmtree(f"{self.work}/{name}", ignore_errors=True)

    def turns(self, name, *words, cores=None):
        return self.keep(Turns([self.options.build / "tests" / "bench" / name, *words], cores or self.server_cores))

    def server(self, folder, cores=None):
        return self.keep(Server(self.heirloom, folder, cores or self.server_cores, self.settings()))

    def least_server(self, server, work_us):
        """What it says is what `server` says of its collection: enough for a load to begin."""
        _, _, body = wire.ask(server.port, "GET", "/collections/bench", None)
        path = f"{self.work}/reply"
        with open(path, "wb") as file:
            file.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
            file.write(body)
        return self.keep(LeastServer(self.options.build / "tests" / "bench" / "epoll_server", path, work_us,
                                     self.server_cores))

    def settings(self):
        return {SEAL_ROWS: str(self.options.seal_rows)}

    # ---- rows ----

    def rows(self, first, n, dim, width=None):
        """An .npy of rows that look like embeddings."""
        path = f"{self.work}/rows-{first}-{n}x{dim}{f'-{width}' if width else ''}.npy"
        if not os.path.exists(path):
            run([self.options.build / "tests" / "bench" / "bench_rows", first, n, dim, f"{path}.new",
                 *([width] if width else [])], "bench_rows")
            os.replace(f"{path}.new", path)
        return path

    def walk_bench(self, n_rows, dim, file=None):
        """bench_walk over these rows, and the sides that have a graph: shared by the figures that need one."""
        key = (n_rows, dim)
        if key not in self.walks:
            self.walks[key] = (self.turns("bench_walk", n_rows, dim, 0, *([file] if file else [])), {})
        return self.walks[key]

    def end_walk(self, n_rows, dim):
        bench, _ = self.walks.pop((n_rows, dim))
        self.end(bench)

    # ---- galleries ----

    def stamp(self, n_rows, dim):
        """What a kept gallery was made of: its rows, and all that writes segments and the store."""
        git = ["git", "-C", str(SOURCE)]
        try:
            state = run([*git, "rev-parse", "HEAD:index", "HEAD:proto"], "git") + run(
                [*git, "diff", "HEAD", "--", "index", "proto"], "git")
        except (Failed, OSError):
            state = str(time.time())   # not known, so never the same
        return json.dumps([n_rows, dim, self.options.seal_rows, state])

    def gallery(self, n_rows, dim, is_bridged=True):
        """A folder of data at rest: n_rows points of the model "old", and bridges that lead to it."""
        folder = f"{self.work}/gallery-{n_rows}x{dim}"
        stamp = self.stamp(n_rows, dim)
        with contextlib.suppress(OSError), open(f"{folder}/stamp", encoding="utf-8") as file:
            if file.read() == stamp:
                return folder
        shutil.rmtree(folder, ignore_errors=True)
        self.say(f"filling a gallery of {n_rows} x {dim}")
        server = self.server(folder, self.both)
        models = {"old": dim, **({model: NEW_DIM for model in MODELS} if is_bridged else {})}
        server.ask("PUT", "/collections/bench", {"vectors": {
            name: {"size": size, "distance": "Cosine"} for name, size in models.items()}})
        rows = self.rows(0, n_rows, dim)
        run([self.heirloom, "import", "--url", server.url, "--collection", "bench", "--vector", "old", "--restart",
             rows], "heirloom import")
        os.unlink(rows)
        if is_bridged:
            self.put_bridges(server)
        self.say("sealing and merging")
        server.await_green()
        if self.end(server) != 0:
            raise Failed("the server did not stop well")
        with open(f"{folder}/stamp", "w", encoding="utf-8") as file:
            file.write(stamp)
        return folder

    def put_bridges(self, server):
        prints = {m["name"]: m["fingerprint"] for m in server.ask("GET", "/collections/bench/models")["models"]}
        for model, n_maps in MODELS.items():
            path = f"/collections/bench/bridges/{model}/old"
            server.ask("PUT", path, bridge_file(prints, model, n_maps))
            server.job(f"{path}/activate", {"strategy": "backward", "fidelity": 1 if n_maps == 1 else .5})

    def copy(self, folder, name="copy"):
        """Of a gallery, for who changes it or needs a folder of its own; one of each name at a time."""
        place = f"{self.work}/{name}"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place, ignore=shutil.ignore_patterns("log", "stamp"))
        return place

    @staticmethod
    def collection_folder(folder):
        found = glob.glob(f"{folder}/data/collections/*/points.db")
        if len(found) != 1:
            raise Failed(f"{folder} has {len(found)} collections, wanted 1")
        return os.path.dirname(found[0])

    # ---- load ----

    def load(self, server, *words, seconds, warm_up=.5, notes):
        """What `heirloom bench` says of a load from the other processor, which never sleeps: waking it would be the
        server's work."""
        path = f"{self.work}/load.json"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        failed = None
        with pinned(self.load_cores):
            try:
                run([self.heirloom, "bench", "--url", server.url, "--collection", "bench", "--seconds", seconds,
                     "--warm-up", warm_up, "--spin", "--json", path, *words], "heirloom bench", 60 + 3 * seconds)
            except Failed as fault:
                failed = fault
        if failed and not os.path.exists(path):
            raise failed
        with open(path, encoding="utf-8") as file:
            said = json.load(file)
        return checked(said, failed, notes)

    def bodies(self, first, n_rows, dim):
        """Whole upserts of a thousand points each, ready to be sent."""
        with open(self.rows(first, n_rows, dim), "rb") as file:
            data = file.read()[NPY_HEAD:]
        size = 4 * dim
        points = [f'{{"id":{first + i},"vector":{{"old":"{text_of(data[i * size:(i + 1) * size])}"}}}}'
                  for i in range(n_rows)]
        return [('{"points":[' + ",".join(points[at:at + 1000]) + "]}").encode() for at in range(0, n_rows, 1000)]
