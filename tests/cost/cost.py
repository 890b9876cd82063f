# SPDX-License-Identifier: Apache-2.0
"""What a request costs beside its search: instructions, allocations and system calls of the whole server, by
callgrind, for each kind of request, held against the table below.

    cost.py HEIRLOOM [COMPILER [FOLDER]]

A gallery so small that searching it is next to nothing; requests of the same bytes in each run. The server's counts
are dumped and begun anew whenever it answers GET /, so what it did before and what the counting itself takes is not
in them. Time has no say: a busy machine counts the same. The figures are those of the release build by the compiler
that is named below; another one is given more room. Where a change makes a request cheaper, the table follows it. In FOLDER, which is
empty, the counts stay: callgrind_annotate says what of a request takes them, in a build with `-Ddebug=true`."""
import glob
import http.client
import json
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "compat"))
import gallery as of  # noqa: E402
import numpy as np  # noqa: E402

COMPILER, OTHER_MARGIN = "gcc 12", 1.35
N_TIMES, N_POINTS, NEW, OLD = 100, 32, 512, 256
JSON, RAW = "application/json", "application/octet-stream"

# Instructions, allocations and system calls of one request.
TABLE = {
    "healthz": (13_100, 7, 3),
    "json": (83_400, 9, 3),
    "base64": (65_200, 9, 3),
    "raw": (62_500, 9, 3),
    "payloads": (130_200, 56, 16),
    "mapped json": (165_200, 9, 3),
    "mapped base64": (127_700, 9, 3),
    "mapped raw": (122_500, 9, 3),
    "batch of 8": (389_700, 9, 3),
    "upsert": (332_000, 82, 41),
}
# Times and more: what other threads do in the meantime is in it, of a slow machine more.
MARGINS = {"instructions": (1.10, 0), "allocations": (1.03, .5), "system calls": (1.10, .8)}
ALLOCATING = re.compile(r"^(malloc|calloc|realloc|(__)?posix_memalign|aligned_alloc|memalign|mmap)(@.*)?$")
# What valgrind asks the kernel for and a processor by itself does not.
NO_CALL = re.compile(r"^(__vdso_|__)?(clock_gettime|sched_getcpu|gettimeofday|time|time_syscall)(@.*)?$")


def request(method, path, body=b"", kind=JSON):
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n"
    if body:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def cases_of(random):
    """Each with the bytes that are sent, all of one kind the same."""
    old, new = (of.files.unit(random.normal(size=n)) for n in (OLD, NEW))
    query, upsert = "/collections/cost/points/query", "/collections/cost/points?wait=true"

    def search(**said):
        return json.dumps({"limit": 10, **said}).encode()
    return {
        "healthz": request("GET", "/healthz"),
        "json": request("POST", query, search(query=old.tolist(), using="old")),
        "base64": request("POST", query, search(query=of.text_of(old), using="old")),
        "raw": request("POST", f"{query}?limit=10&using=old", old.tobytes(), RAW),
        "payloads": request("POST", query, search(query=of.text_of(old), using="old", with_payload=True)),
        "mapped json": request("POST", query, search(query=new.tolist(), using="new")),
        "mapped base64": request("POST", query, search(query=of.text_of(new), using="new")),
        "mapped raw": request("POST", f"{query}?limit=10&using=new", new.tobytes(), RAW),
        "batch of 8": request("POST", f"{query}/batch", json.dumps(
            {"searches": [{"query": of.text_of(old), "using": "old", "limit": 10}] * 8}).encode()),
        "upsert": request("PUT", upsert, json.dumps(
            {"points": [{"id": 1, "vector": {"old": old.tolist()}, "payload": {"name": "a", "size": 3}}]}).encode()),
    }


class Line:
    """One connection, each request in one piece. The replies are read by the library."""

    def __init__(self, port):
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=of.LIMIT_S)
        self.line.connect()

    def ask(self, text):
        self.line.sock.sendall(text)
        reply = http.client.HTTPResponse(self.line.sock)
        reply.begin()
        body = reply.read()
        assert reply.status == 200, body


class Counted:
    def __init__(self, program, place):
        self.counts = f"{place}/counts"
        self.server = of.Server(program, place, [
            "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={self.counts}",
            "--dump-before=hl_service_root", "--collect-systime=yes"])
        self.line, self.n_dumps = Line(self.server.port), 0
        self.nothing = (0, 0, 0)

    def cut(self):
        """What was counted since the last cut."""
        self.line.ask(request("GET", "/"))
        self.n_dumps += 1
        (path,) = glob.glob(f"{self.counts}.{self.n_dumps}")
        return read_counts(path)

    def cost(self, text, n):
        """Of one request, without what the cut itself takes."""
        self.line.ask(text)  # whatever is made once
        self.cut()
        for _ in range(n):
            self.line.ask(text)
        return [(all_ - none) / n for all_, none in zip(self.cut(), self.nothing)]


def read_counts(path):
    """(instructions, allocations, system calls) of a dump. A name stands in it once and has a number from there on; the
    line behind "calls" is what the callee took, the others are what the function itself took."""
    names, own, callee, was_call = {}, None, None, False
    instructions = allocations = calls = 0
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            found = re.match(r"(c?)fn=\((\d+)\)(?: (.*))?", line)
            if found:
                name = names.setdefault(found[2], found[3])
                own, callee = (own, name) if found[1] else (name, callee)
            elif line.startswith("calls="):
                was_call = True
                allocations += int(line[6:].split()[0]) if ALLOCATING.match(callee) else 0
            elif line.startswith("totals:"):
                instructions, total = (int(n) for n in line.split()[1:3])
                calls += total
            elif line[0] in "+-*0123456789":
                costs, is_own, was_call = line.split()[1:], not was_call, False
                if is_own and len(costs) > 1 and NO_CALL.match(own):
                    calls -= int(costs[1])
    return instructions, allocations, calls


def fill(server, random):
    """Points of the old model, and a bridge from the new one to it."""
    server.result("PUT", "/cost", {"vectors": {"old": {"size": OLD, "distance": "Cosine"},
                                               "new": {"size": NEW, "distance": "Cosine"}}})
    server.result("PUT", "/cost/points?wait=true", {"points": [
        {"id": i, "vector": {"old": of.text_of(random.normal(size=OLD))}, "payload": {"name": f"{i}.jpg", "size": i}}
        for i in range(N_POINTS)]})
    prints = {m["name"]: m["fingerprint"] for m in server.result("GET", "/cost/models")["models"]}
    weight = (random.normal(size=(OLD, NEW)) / 16).astype("f4")
    of.files.save_tensors("bridge.safetensors", {"judged.weight": weight, "faithful.weight": weight}, {
        "format_version": "1", "from": "new", "to": "old", "from_fingerprint": prints["new"],
        "to_fingerprint": prints["old"]})
    with open("bridge.safetensors", "rb") as file:
        server.result("PUT", "/cost/bridges/new/old", file.read())
    server.job("/cost/bridges/new/old/activate", {"strategy": "backward", "fidelity": 1})


def hold(lines, name, cost, is_other):
    for (what, (times, more)), came, stands in zip(MARGINS.items(), cost, TABLE[name]):
        allowed = stands * (OTHER_MARGIN if is_other and what == "instructions" else times) + more
        lines.say(f"{name}: {came:.1f} {what}, at most {allowed:.1f}; the table has {stands}", came <= allowed)


def play(program, lines, is_other, place):
    random = np.random.default_rng(1)
    os.chdir(place)
    counted = Counted(program, place)
    fill(counted.server, random)
    counted.cut()
    counted.nothing = counted.cut()
    for name, text in cases_of(random).items():
        hold(lines, name, counted.cost(text, N_TIMES), is_other)
        lines.note(f"{name}: counts.{counted.n_dumps}, of {N_TIMES}")
    lines.say("the server ended as it should", counted.server.stop() == 0)
    os.chdir("/")


def main():
    if not shutil.which("valgrind"):
        print("1..0 # SKIP valgrind is not installed: deploy/packages check")
        return 0
    with open("/proc/cpuinfo", encoding="ascii") as file:
        if " avx2 " not in file.read():
            print("1..0 # SKIP the figures are those of kernels for AVX2, which this processor has not")
            return 0
    # One thread asks and one answers; a server that begins again would not be counted from the start. Of a string
    # instruction each byte would count as one, so the C library copies and clears without.
    never = ":".join(f"glibc.cpu.x86_rep_{which}_threshold={10 ** 9}" for which in ("stosb", "movsb"))
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", HEIRLOOM__SERVICE__WORKERS="1",
                      HEIRLOOM__SERVICE__READERS="1", GLIBC_TUNABLES=never)
    program, compiler, *place = sys.argv[1:] if len(sys.argv) > 2 else [sys.argv[1], COMPILER]
    lines = of.Lines()
    with tempfile.TemporaryDirectory(prefix="heirloom-cost-") as own:
        play(os.path.abspath(program), lines, not compiler.startswith(COMPILER),
             os.path.abspath(place[0]) if place else own)
    return lines.end()


if __name__ == "__main__":
    sys.exit(main())
