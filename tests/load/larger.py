#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A gallery of twice the memory that the server may have: it is filled, sealed, merged, searched, and served
again after a restart, within a control group's limit. Speaks TAP; the last lines are figures.
    larger.py HEIRLOOM [LIMIT_MB [DIM [cached|cold]]]
Without `cold` the floats stay where the page cache has room for them. Skips, and says so, where control groups of memory cannot be made (who is not root; most containers)."""
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../compat"))
import gallery  # noqa: E402
import numpy as np  # noqa: E402

N_LINKS, LATENT, N_QUERIES, K = 32, 24, 200, 10
SETTINGS = "[search]\nseal_rows = 1024\n[limits]\nrequest_memory_mb = 16\n[service]\nmax_request_size_mb = 8\n"
KINDS = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
         ("/sys/fs/cgroup", "memory.max", "memory.peak", "memory.events")]


class Group:
    """A control group of either version with a limit of memory, as long as the block."""

    def __init__(self, limit):
        self.limit, self.path = limit, None

    def __enter__(self):
        why = "no control groups of memory are mounted"
        for folder, bound, self.peak_name, self.events in KINDS:
            path = f"{folder}/heirloom-{os.getpid()}"
            try:
                os.mkdir(path)
                self.path = path
                with open(f"{path}/{bound}", "w", encoding="ascii") as file:
                    file.write(str(self.limit))
                return self
            except OSError as refusal:
                why = str(refusal)
                self.remove()
        print(f"1..0 # SKIP a control group of memory cannot be made: {why}")
        sys.exit(0)

    def remove(self):
        for _ in range(100 if self.path else 0):
            try:
                os.rmdir(self.path)
                break
            except OSError:  # its last process is on its way out
                time.sleep(.05)
        self.path = None

    def __exit__(self, *_):
        self.remove()

    def read(self, name):
        try:
            with open(f"{self.path}/{name}", encoding="ascii") as file:
                return file.read()
        except FileNotFoundError:  # a peak is kept since Linux 5.19
            return "0"

    def peak(self):
        return int(self.read(self.peak_name))

    def n_killed(self):
        return sum(int(line.split()[1]) for line in self.read(self.events).splitlines()
                   if line.split()[0] == "oom_kill")


class Claims:
    n = n_failed = 0

    def say(self, is_true, sentence):
        self.n += 1
        self.n_failed += not is_true
        print(f"{'' if is_true else 'not '}ok {self.n} - {sentence}", flush=True)


def rows_like_embeddings(n, dim, seed):
    """Of few dimensions, bent a little and with noise: what neighbours mean something in."""
    random = np.random.default_rng(seed)
    bend = np.random.default_rng(1).standard_normal((LATENT, dim)).astype(np.float32)
    rows = np.tanh(random.standard_normal((n, LATENT)).astype(np.float32) @ bend / 4)
    return rows + .05 * random.standard_normal((n, dim)).astype(np.float32)


def nearest(rows, queries):
    norms, found = (rows * rows).sum(1), []
    for query in queries:
        found.append(set(np.argpartition(norms - 2 * (rows @ query), K)[:K].tolist()))
    return found


def start(program, folder, group):
    with open(f"{folder}/small.ini", "w", encoding="ascii") as file:
        file.write(SETTINGS)
    with open(f"{folder}/within", "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\necho $$ >{group.path}/cgroup.procs && exec "{program}" "$@" --config {folder}/small.ini\n')
    os.chmod(f"{folder}/within", 0o700)
    return gallery.Server(f"{folder}/within", folder)


def wait_until_quiet(server):
    """Everything is sealed, and nothing more is merged for a second."""
    until, before = time.monotonic() + 600, None
    while time.monotonic() < until:
        info = server.result("GET", "/large")
        now = (info["status"], info["indexed_vectors_count"], info["segments_count"])
        if now == before and now[0] == "green":
            return info
        before = now
        time.sleep(1)
    sys.exit(f"upkeep did not end: {before}")


def search(server, queries, params):
    found, took, n_failed = [], [], 0
    for query in queries:
        started = time.perf_counter()
        status, raw = server.ask("POST", "/large/points/query", {
            "query": gallery.text_of(query), "limit": K, "params": params})
        took.append(time.perf_counter() - started)
        n_failed += status != 200
        found.append({p["id"] for p in gallery.json.loads(raw)["result"]["points"]} if status == 200 else set())
    return found, np.array(took) * 1e3, n_failed


def check(claims, server, queries, truth, when):
    for name, params, least in (("searches", {}, .9), ("exact searches", {"exact": True}, 1)):
        some = N_QUERIES if name == "searches" else 20
        found, ms, n_failed = search(server, queries[:some], params)
        recall = sum(len(f & t) for f, t in zip(found, truth)) / (K * some)
        claims.say(n_failed == 0 and recall >= least,
                   f"{when}, {some} {name} are answered, recall {recall:.4f}")
        print(f"# {when}: {name} p50 {np.percentile(ms, 50):.2f} ms, p99 {np.percentile(ms, 99):.2f} ms")


def main(program, limit_mb=224, dim=2048, place="cached"):
    program, limit, dim = os.path.realpath(program), int(limit_mb) << 20, int(dim)
    # Of a row: floats, its sketch, links, and numbers.
    n = 2 * limit // (4 * dim + dim + 16 + 8 * N_LINKS + 20) + 1
    claims = Claims()
    with Group(limit) as group, tempfile.TemporaryDirectory() as folder:
        print("1..7")
        os.chdir(folder)
        rows, queries = rows_like_embeddings(n, dim, 2), rows_like_embeddings(N_QUERIES, dim, 3)
        np.save("rows.npy", rows)
        truth = nearest(rows, queries)
        server = start(program, folder, group)
        server.result("PUT", "/large", {"vectors": {"size": dim, "distance": "Euclid", "memory": place}})
        started = time.monotonic()
        done = subprocess.run([program, "import", "rows.npy", "--collection", "large", "--batch", "250", "--url",
                               f"http://127.0.0.1:{server.port}"], capture_output=True, text=True, check=False)
        claims.say(done.returncode == 0, f"{n} rows of {dim} are taken by a server of {limit_mb} MB")
        if done.returncode != 0:
            print("# " + done.stderr[-300:].replace("\n", "\n# "))
        info = wait_until_quiet(server)
        print(f"# filled and sealed in {time.monotonic() - started:.0f} s, {info['segments_count']} segments")
        bytes_of = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(f"{folder}/data")
                       for name in names if name.endswith(".seg"))
        claims.say(bytes_of >= 2 * limit * .9, f"its segments have {bytes_of >> 20} MB")
        check(claims, server, queries, truth, "after filling")
        server.stop()
        server = start(program, folder, group)
        check(claims, server, queries, truth, "after a restart")
        claims.say(group.n_killed() == 0 and group.peak() <= limit and server.stop() == 0,
                   f"nothing was killed; at most {group.peak() >> 20} MB were taken")
    return claims.n_failed > 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:5]))
