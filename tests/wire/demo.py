#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The demo gallery as somebody loads it who types `heirloom demo`, once, again, and where something is already.

    demo.py HEIRLOOM FOLDER        FOLDER: deploy/demo"""
import os
import subprocess
import sys

from bridges import tell

N = 10000
LIMIT_S = 200


def run(server, *words, **env):
    bare = {name: value for name, value in os.environ.items() if not name.startswith("HEIRLOOM")}
    return subprocess.run([server.program, "demo", "--url", f"http://127.0.0.1:{server.port}", *words],
                          capture_output=True, text=True, timeout=LIMIT_S, env={**bare, **env})


def count(server, collection="demo"):
    return server.result("POST", f"/collections/{collection}/points/count", {"exact": True})["count"]


def forget(server, *ids):
    server.result("POST", "/collections/demo/points/delete?wait=true", {"points": ids})


def play(server, folder):
    def demo(*words):
        return run(server, "--data", folder, *words)

    lost = run(server, "--data", server.directory)
    yield "it says which file is not there", lost.returncode == 1 and "gallery.npy" in lost.stderr
    first = demo()
    yield "it loads ten thousand photographs, and says how far it is", (
        first.returncode == 0 and count(server) == N and "10000 of 10000 points" in first.stderr)
    typed = first.stdout.split("curl -X POST ")[1].split("\n")[0]
    path, body = typed.split(f"http://127.0.0.1:{server.port}")[1].split(" -d ")
    reply = server.result("POST", path, body.strip("'").encode())
    yield "what it says to type next finds photographs with labels", (
        len(reply["points"]) == 5 and all(hit["payload"]["label"] for hit in reply["points"]))
    shown = server.result("GET", "/collections/demo")
    yield "they are vectors without a name, and the label is indexed", (
        shown["config"]["params"]["vectors"] == {"size": 64, "distance": "Cosine"} and
        shown["payload_schema"]["label"]["points"] == N)

    forget(server, 1, 2, 3)
    again = demo()
    yield "what was loaded once is left as it is", again.returncode == 0 and count(server) == N - 3
    server.result("PATCH", "/collections/demo", {"metadata": {"heirloom_demo": "loading"}})
    again = demo()
    yield "what was cut off goes on", again.returncode == 0 and count(server) == N
    forget(server, 4)
    again = run(server, "--restart", HEIRLOOM_DEMO=folder)
    yield "it begins anew when it is told to, and asks the environment for its files", (
        again.returncode == 0 and count(server) == N)

    server.result("PUT", "/collections/mine", {"vectors": {"size": 64, "distance": "Cosine"}})
    refused = [demo("--collection", "mine"), demo("--collection", "mine", "--restart")]
    yield "a collection that is not the demo's is not touched", (
        all(r.returncode == 1 and '"mine" is there and is not the demo\'s' in r.stderr for r in refused) and
        count(server, "mine") == 0)
    other = demo("--collection", "clothes")
    yield "it goes under another name too", other.returncode == 0 and count(server, "clothes") == N


if __name__ == "__main__":
    sys.exit(tell("demo", lambda server: play(server, sys.argv[2])))
