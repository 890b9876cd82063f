# SPDX-License-Identifier: Apache-2.0
"""The server and the command line learn the same bridge from the same rows, bit for bit, and each takes
the other's files. Usage: test_served.py HEIRLOOM MODELS"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import numpy as np

import files

HEIRLOOM, MODELS = map(os.path.abspath, sys.argv[1:3])
os.environ["OPENBLAS_NUM_THREADS"] = "1"


class Server:
    def __init__(self):
        self.log = open("server.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen([HEIRLOOM, "serve", "--data", "data", "--port", "0"],
                                        stdout=self.log, stderr=self.log)
        for _ in range(200):
            found = re.search(r"event=listening .*port=(\d+)", open("server.log", encoding="utf-8").read())
            if found:
                break
            time.sleep(.05)
        assert found, open("server.log", encoding="utf-8").read()
        self.base = f"http://127.0.0.1:{found[1]}/collections/c"

    def ask(self, method, path, body=None, status=200):
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(self.base + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=240) as reply:
                got, raw = reply.status, reply.read()
        except urllib.error.HTTPError as error:
            got, raw = error.code, error.read()
        assert got == status, f"{method} {path}: {got} {raw[:400]}"
        return raw if raw[:1] != b"{" else json.loads(raw)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        self.log.close()


def rows(model, part):
    return np.load(f"{MODELS}/fashion/{model}_{part}.npy")


def raw(path):
    with open(path, "rb") as file:
        return file.read()


def run(*words):
    done = subprocess.run([HEIRLOOM, *words], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


def prepare(server):
    server.ask("PUT", "", {"vectors": {m: {"size": n, "distance": "Cosine"} for m, n in (("v3", 128), ("v1", 64))}})
    for part in ("fit", "test"):
        files.save_dataset(f"{part}.safetensors", {m: rows(m, part) for m in ("v3", "v1")},
                           np.load(f"{MODELS}/fashion/labels_{part}.npy"))
        server.ask("PUT", f"/datasets/{part}", raw(f"{part}.safetensors"))
    server.ask("PUT", "/vectors/v1/head", raw(f"{MODELS}/fashion/v1_head.safetensors"))


def prints_of(server):
    models = server.ask("GET", "/models")["result"]["models"]
    return {model["name"]: model["fingerprint"] for model in models}


def without_time(report):
    return {key: value for key, value in report.items() if key not in ("seconds", "inputs")}


def both_learn_the_same(server):
    prints = prints_of(server)
    job = server.ask("POST", "/bridges/v3/v1?wait=true&timeout=200",
                     {"data": {"dataset": "fit"}, "report": {"dataset": "test"}, "kind": "anchored", "seed": 7})
    assert job["result"]["state"] == "done", job
    with open("served.safetensors", "wb") as file:
        file.write(server.ask("GET", "/bridges/v3/v1?format=safetensors"))
    run("fit", "fit.safetensors", "--from", "v3", "--to", "v1", "--head",
        f"{MODELS}/fashion/v1_head.safetensors", "--report", "test.safetensors", "--kind", "anchored", "--seed",
        "7", "--fingerprints", f"{prints['v3']},{prints['v1']}", "--out", "own.safetensors")
    ours, said = files.load_tensors("own.safetensors")
    theirs, served = files.load_tensors("served.safetensors")
    assert sorted(ours) == sorted(theirs)
    for name, tensor in ours.items():
        assert (tensor == theirs[name]).all(), name
    for key in ("from", "to", "from_fingerprint", "to_fingerprint", "kind", "fidelity", "old_weight", "strategy", "sha256"):
        assert said[key] == served[key], key
    mine, other = (json.loads(metadata["report"]) for metadata in (said, served))
    assert without_time(mine) == without_time(other)
    assert {i["sha256"] for i in mine["inputs"]} <= {i["sha256"] for i in other["inputs"]}


def each_takes_the_others_file(server):
    told = server.ask("PUT", "/bridges/v3/v1", raw("own.safetensors"))["result"]
    assert told["revision"] == 2, told
    run("evaluate", "test.safetensors", "--bridge", "served.safetensors", "--json", "own.json", "--head",
        f"{MODELS}/fashion/v1_head.safetensors")
    job = server.ask("POST", "/bridges/v3/v1/evaluate?wait=true&timeout=200", {"dataset": "test"})["result"]
    with open("own.json", encoding="utf-8") as file:
        mine = json.load(file)["measured"]
    assert mine == job["result"]["report"]["measured"], job["result"].keys()


def what_numpy_wrote_is_taken_when_it_says_for_which_models(server):
    prints, weight = prints_of(server), np.eye(64, 128, dtype="f4")
    files.save_bridge("numpy.safetensors", "v3", "v1", weight)
    reply = server.ask("PUT", "/bridges/v3/v1", raw("numpy.safetensors"), 409)
    assert prints["v3"] in reply["status"]["error"], reply
    files.save_tensors("numpy.safetensors", {"faithful.weight": weight},
                       {"format_version": "1", "from": "v3", "to": "v1", "from_fingerprint": prints["v3"],
                        "to_fingerprint": prints["v1"]})
    assert server.ask("PUT", "/bridges/v3/v1", raw("numpy.safetensors"))["result"]["revision"] == 3
    reply = server.ask("PUT", "/bridges/v1/v3", raw("numpy.safetensors"), 409)
    assert "the other way round than wanted" in reply["status"]["error"], reply


def main():
    tests = [both_learn_the_same, each_takes_the_others_file,
             what_numpy_wrote_is_taken_when_it_says_for_which_models]
    n_failed = 0
    print(f"1..{len(tests)}")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        server = Server()
        prepare(server)
        for i, test in enumerate(tests):
            try:
                test(server)
                print(f"ok {i + 1} - {test.__name__.replace('_', ' ')}")
            except Exception as error:
                n_failed += 1
                print(f"not ok {i + 1} - {test.__name__.replace('_', ' ')}\n# {error!r}")
        server.stop()
        os.chdir("/")
    return 1 if n_failed else 0


sys.exit(main())
