# SPDX-License-Identifier: Apache-2.0
"""What the tests of mixed galleries share: a server of their own, real embeddings, galleries of points
that different models have seen, batches of queries, and what their answers are worth."""
import base64
import concurrent.futures
import ctypes
import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np  # noqa: E402

import files  # noqa: E402

SIZES = {"v1": 64, "v1c": 64, "v2": 96, "v3": 128}
N_CALLERS = 3
BLOCK = 25        # queries of one request
LIMIT_S = 600
REST_S = 5


# ---- the server ----

def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Server:
    """`under` is a program that runs it, with its own arguments."""

    def __init__(self, program, folder, under=()):
        self.folder, self.local = folder, threading.local()
        self.log = open(f"{folder}/server.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [*under, program, "serve", "--host", "127.0.0.1", "--port", "0", "--data", f"{folder}/data"],
            stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)
        found, until = None, time.monotonic() + 60
        while not found and self.process.poll() is None and time.monotonic() < until:
            with open(f"{folder}/server.log", encoding="utf-8") as said:
                found = re.search(r"event=listening .*port=(\d+).*\n", said.read())
            time.sleep(.02)
        if not found:
            with open(f"{folder}/server.log", encoding="utf-8") as said:
                sys.exit(f"the server did not start: {said.read()}")
        self.port = int(found[1])
        self.pool = concurrent.futures.ThreadPoolExecutor(N_CALLERS)

    def ask(self, method, path, body=None, headers=None):
        """The status and the reply's bytes, over this thread's connection while it is young: the server
        closes what rests."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if time.monotonic() > getattr(self.local, "until", 0):
            self.local.line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        line = self.local.line
        line.request(method, "/collections" + path, data,
                     {**({"Content-Type": "application/json"} if data else {}), **(headers or {})})
        reply = line.getresponse()
        raw = reply.read()
        self.local.until = time.monotonic() + REST_S
        return reply.status, raw

    def result(self, method, path, body=None, headers=None):
        status, raw = self.ask(method, path, body, headers)
        assert status == 200, f"{method} {path}: {status} {raw[:600]}"
        return json.loads(raw)["result"]

    def job(self, path, body=None):
        """What a job ended with."""
        job = self.result("POST", f"{path}?wait=true&timeout={LIMIT_S}", body or {})
        assert job["state"] == "done", job
        return job["result"]

    def side_by_side(self, calls):
        return [done.result() for done in [self.pool.submit(*call) for call in calls]]

    def stop(self):
        self.pool.shutdown()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.log.close()
        return status


# ---- embeddings ----

class Set:
    """Queries are the first half of *_test, the gallery is the second."""

    def __init__(self, folder, name, models):
        self.folder, self.name, self.models = f"{folder}/{name}", name, models
        labels = np.load(f"{self.folder}/labels_test.npy")
        half = len(labels) // 2
        self.query_labels, self.labels = labels[:half], labels[half:]
        self.n = len(self.labels)
        rows = {m: files.unit(np.load(f"{self.folder}/{m}_test.npy")) for m in models}
        self.queries = {m: r[:half] for m, r in rows.items()}
        self.items = {m: r[half:] for m, r in rows.items()}

    def rows(self, model, part):
        return np.load(f"{self.folder}/{model}_{part}.npy")

    def dataset(self, part):
        files.save_dataset("dataset.safetensors", {m: self.rows(m, part) for m in self.models},
                           np.load(f"{self.folder}/labels_{part}.npy"))
        with open("dataset.safetensors", "rb") as file:
            return file.read()

    def head(self, model):
        with open(f"{self.folder}/{model}_head.safetensors", "rb") as file:
            return file.read()

    def share(self, f, seed, by_class):
        """Which points only the newer model has seen."""
        random, chosen = np.random.default_rng(seed), np.zeros(self.n, bool)
        order = random.permutation(self.n)
        if by_class:
            place = {c: i for i, c in enumerate(random.permutation(np.unique(self.labels)))}
            order = np.argsort([place[c] for c in self.labels], kind="stable")
        chosen[order[:round(f * self.n)]] = True
        return chosen


def text_of(vector):
    return base64.b64encode(np.ascontiguousarray(vector, "<f4").tobytes()).decode()


# ---- a gallery ----

class Gallery:
    """One collection. Points have the numbers of their rows."""

    def __init__(self, server, name, data):
        self.server, self.path, self.data = server, f"/{name}", data
        server.result("PUT", self.path, {"vectors": {m: {"size": SIZES[m], "distance": "Cosine"} for m in data.models}})

    def give_lessons(self):
        for part in ("fit", "val", "test"):
            self.server.result("PUT", f"{self.path}/datasets/{part}", self.data.dataset(part))
        for model in self.data.models:
            self.server.result("PUT", f"{self.path}/vectors/{model}/head", self.data.head(model))

    def learn(self, source, target, kind):
        """In the folder that HEIRLOOM_BRIDGES names, bridges are kept from one run to the next."""
        kept = os.environ.get("HEIRLOOM_BRIDGES")
        path = f"{kept}/{self.data.name}-{source}-{target}-{kind}.safetensors"
        place = f"{self.path}/bridges/{source}/{target}"
        if kept and os.path.exists(path):
            with open(path, "rb") as file:
                self.server.result("PUT", place, file.read())
            return
        self.server.job(place, {"data": {"dataset": "fit"}, "choose": {"dataset": "val"},
                                "report": {"dataset": "test"}, "kind": kind})
        if kept:
            with open(path, "wb") as file:
                file.write(self.server.ask("GET", f"{place}?format=safetensors")[1])

    def bridge(self, source, target):
        """(tensors, metadata) of the latest."""
        with open("bridge.safetensors", "wb") as file:
            file.write(self.server.ask("GET", f"{self.path}/bridges/{source}/{target}?format=safetensors")[1])
        return files.load_tensors("bridge.safetensors")

    def activate(self, source, target, strategy, fidelity="auto"):
        """What the activation says of itself, after what it was asked."""
        self.server.job(f"{self.path}/bridges/{source}/{target}/activate",
                        {"strategy": strategy, "fidelity": fidelity})
        return self.server.result("GET", f"{self.path}/bridges/{source}/{target}")["activation"]["current"]

    def deactivate(self):
        for pair in self.server.result("GET", f"{self.path}/bridges")["bridges"]:
            if (pair.get("activation") or {}).get("current"):
                self.server.job(f"{self.path}/bridges/{pair['from']}/{pair['to']}/deactivate")

    def put(self, rows, models_of):
        """Whole points: those rows with the vectors of the models named for each."""
        def send(block):
            self.server.result("PUT", f"{self.path}/points?wait=true", {"points": [
                {"id": int(i), "vector": {m: text_of(self.data.items[m][i]) for m in models_of(i)}} for i in block]})
        self.server.side_by_side((send, rows[at:at + 500]) for at in range(0, len(rows), 500))

    def add(self, rows, model):
        """One more vector for those points."""
        for at in range(0, len(rows), 500):
            self.server.result("PUT", f"{self.path}/points/vectors?wait=true", {"points": [
                {"id": int(i), "vector": {model: text_of(self.data.items[model][i])}} for i in rows[at:at + 500]]})

    def ask(self, queries, limit, how=None, keep=lambda answer: answer):
        """What `keep` keeps of each query's answer. `how` may hold score_threshold; the rest are params."""
        how = dict(how or {})
        body = {"limit": limit}
        if "score_threshold" in how:
            body["score_threshold"] = how.pop("score_threshold")
        body["params"] = {"exact": True, **how}

        def send(block):
            path = f"{self.path}/points/query/batch"
            status, raw = self.server.ask("POST", path, {"searches": [{**body, **query} for query in block]})
            assert status == 200, f"{path}: {status} {raw[:600]}"
            if keep is ids:
                return [np.array(ID.findall(answer), int) for answer in raw.split(b'"points":[')[1:]]
            return [keep(answer) for answer in json.loads(raw)["result"]]
        blocks = self.server.side_by_side((send, queries[at:at + BLOCK]) for at in range(0, len(queries), BLOCK))
        return [answer for block in blocks for answer in block]


def queries_of(data, model, n=None):
    return [{"query": text_of(row), "using": model} for row in data.queries[model][:n]]


ID = re.compile(rb'"id":(\d+)')


def ids(answer):
    """`ask` knows this one: whole rankings are read without making objects of them."""
    return np.array([hit["id"] for hit in answer["points"]], int)


def settled(hits):
    """Neighbours of one score in the order of their numbers: it is chance which of them was written first."""
    out = []
    for _, run in itertools.groupby(hits, lambda hit: hit[1]):
        out += sorted(run)
    return out


def raw_hits(answer):
    """Numbers of points and raw scores, as they were printed."""
    return settled([(hit["id"], inner["raw"])
                    for hit, inner in zip(answer["points"], answer["explain"]["hits"], strict=True)])


def shown_hits(answer):
    return settled([(hit["id"], hit["score"]) for hit in answer["points"]])


# ---- what answers are worth ----

def precisions(found, query_labels, labels):
    """Average precision of whole rankings."""
    out = []
    for row, label in zip(found, query_labels):
        same = labels[row] == label
        if (labels == label).any():
            places = np.flatnonzero(same) + 1
            out.append(np.sum(np.arange(1, len(places) + 1) / places) / (labels == label).sum())
    return np.array(out)


def first_is_right(found, query_labels, labels):
    return np.array([len(row) > 0 and labels[row[0]] == label for row, label in zip(found, query_labels)])


class Worth:
    """top1 of all queries, mAP of the first `n_ranked`."""

    def __init__(self, found, ranked, data):
        self.is_right = first_is_right(found, data.query_labels, data.labels)
        self.top1 = self.is_right.mean()
        self.map = precisions(ranked, data.query_labels, data.labels).mean()
        self.is_whole = all(len(row) == data.n and len(np.unique(row)) == data.n for row in ranked)

    def __str__(self):
        return f"{self.top1:.4f} {self.map:.4f}"


def of_scores(matrix, data, n_ranked):
    """The same, from scores worked out here."""
    order = np.argsort(-matrix[:n_ranked], 1, kind="stable")
    return Worth([[row.argmax()] for row in matrix], order, data)


# ---- lines ----

class Lines:
    def __init__(self, share=1.0):
        self.share, self.n, self.n_missed = share, 0, 0
        print("TAP version 13")

    def say(self, what, is_right):
        self.n += 1
        self.n_missed += not is_right
        print(f"{'ok' if is_right else 'not ok'} {self.n} - {what}", flush=True)

    def least(self, what, value, mark):
        """Of a smaller set less is asked, as tests/compat/marks.c does."""
        bound = mark - (1 - self.share) * (abs(mark) + .05)
        self.say(f"{what}: {value:+.4f}, at least {bound:+.4f}", value >= bound)

    def most(self, what, value, mark):
        bound = mark + (1 - self.share) * (abs(mark) + .05)
        self.say(f"{what}: {value:+.4f}, at most {bound:+.4f}", value <= bound)

    @staticmethod
    def note(what):
        print(f"# {what}", flush=True)

    def end(self):
        print(f"1..{self.n}\n# {self.n_missed} of {self.n} marks missed")
        return 1 if self.n_missed else 0

