# SPDX-License-Identifier: Apache-2.0
"""Comparing goes on beside the answers: with every search sampled, more of them than can be compared, callers wait no
longer than with none, and every one is compared or counted as dropped.
Usage: beside.py HEIRLOOM MODELS [SEARCHES [TIMES]]

Searches are sent in short blocks, sampled and not in turn, so that whatever else the machine does slows both. TIMES is
how much longer the slowest of a hundred may take: without it that is told and not asked."""
import concurrent.futures
import http.client
import json
import os
import sys
import tempfile
import time

from tried import Tried, gallery, tell

HEIRLOOM, MODELS = map(os.path.abspath, sys.argv[1:3])
N_SEARCHES = int(sys.argv[3]) if len(sys.argv) > 3 else 8000
TIMES = float(sys.argv[4]) if len(sys.argv) > 4 else None
N_CALLERS, N_BLOCKS, N_IN_BATCH = 4, 10, 4


def send(port, path, bodies):
    """Seconds each took, over one connection."""
    line, took = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
    for body in bodies:
        begun = time.perf_counter()
        line.request("POST", path, body, {"Content-Type": "application/json"})
        reply = line.getresponse()
        reply.read()
        took.append(time.perf_counter() - begun)
        assert reply.status == 200, reply.status
    line.close()
    return took


def quantile(took, share):
    return sorted(took)[min(len(took) - 1, int(share * len(took)))]


def run(folder):
    server = gallery.Server(HEIRLOOM, folder)
    tried = Tried(server, MODELS, "beside", 0)
    path = f"/collections{tried.path}/points/query/batch"
    bodies = [json.dumps({"searches": [tried.both((q * N_IN_BATCH + i) % 1000) for i in range(N_IN_BATCH)]}).encode()
              for q in range(250)]
    n_each = N_SEARCHES // N_IN_BATCH // N_BLOCKS // N_CALLERS
    took = {0: [], 1: []}
    n_sent = 0
    with concurrent.futures.ThreadPoolExecutor(N_CALLERS) as pool:
        for block in range(2 * N_BLOCKS):
            tried.set_sample(block % 2)
            asked = [pool.submit(send, server.port, path, [bodies[(i + c * 61) % 250] for i in range(n_each)])
                     for c in range(N_CALLERS)]
            for done in asked:
                took[block % 2] += done.result()
            n_sent += block % 2 * n_each * N_CALLERS
    counted, until = None, time.monotonic() + 120
    while time.monotonic() < until:
        counted = tried.counted("shadow")
        if counted["compared"] / N_IN_BATCH + counted["dropped"] == n_sent:
            break
        time.sleep(.1)
    for name, share in (("half", .5), ("of a hundred 99", .99)):
        without, with_all = (quantile(took[sample], share) * 1e3 for sample in (0, 1))
        print(f"# {name} took at most {without:.2f} ms with none sampled, {with_all:.2f} ms with all, "
              f"{with_all / without:.2f} times")
    print(f"# of {n_sent} requests {counted['compared'] // N_IN_BATCH} were compared, {counted['dropped']} dropped")
    yield "every search is compared or counted as dropped", (
        counted["compared"] % N_IN_BATCH == 0 and counted["compared"] // N_IN_BATCH + counted["dropped"] == n_sent)
    yield "some are compared", counted["compared"] > 0
    if TIMES:
        yield f"of a hundred the slowest takes no more than {TIMES} times as long", \
            quantile(took[1], .99) <= TIMES * quantile(took[0], .99)
    yield "nothing failed", counted["errors_from"]["value"] == counted["errors_to"]["value"] == 0
    yield "the server stops", server.stop() == 0


def main():
    with tempfile.TemporaryDirectory(prefix="heirloom-beside-") as folder:
        os.chdir(folder)
        return not tell(run(folder))


if __name__ == "__main__":
    sys.exit(main())
