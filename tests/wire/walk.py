#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Walks the description that the server serves and calls every operation in it.

    walk.py HEIRLOOM

Each call has a sample that is meant to succeed, on a collection made for it; an operation
without a sample fails the test. The status must be 200 and the reply must fit the schema that
the description gives, member for member: ours says additionalProperties: false."""
import json
import math
import pathlib
import signal
import struct
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import openapi  # noqa: E402



def safetensors(*tensors, metadata=None):
    """(name, type, shape, bytes) each."""
    head, at = ({"__metadata__": metadata} if metadata else {}), 0
    for name, kind, shape, data in tensors:
        head[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(data for *_, data in tensors)


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


N_ROWS = 240  # of three classes, as two models see them
SEEN = [(math.cos(i % 3 * 2 + i % 7 / 20), math.sin(i % 3 * 2 + i % 7 / 20), i % 11 / 30)
        for i in range(N_ROWS)]
DATASET = safetensors(("@default", "F32", [N_ROWS, 4], floats(*(v for a, b, c in SEEN for v in (b, a, c, a + b)))),
                      ("v4", "F32", [N_ROWS, 3], floats(*(v for row in SEEN for v in row))),
                      ("labels", "I64", [N_ROWS], struct.pack(f"<{N_ROWS}q", *(i % 3 for i in range(N_ROWS)))))
PROBES = {"probe_set": "golden"}
BRIDGE = {"from": "@default", "to": "v4"}
HEAD = safetensors(("weight", "F32", [2, 2], floats(1, 0, 0, 1)), metadata={"classes": '["cat", 7]'})
V = [1.0, 0.0, 0.0, 0.0]
ONE = {"points": [1]}
FILTER = {"must": [{"key": "user", "match": {"value": 7}}]}

# By operationId: parameters of the path, of the URL, and the body. In the order of the walk, so
# that what an operation needs is there and what it destroys is not needed any more.
SAMPLES = [
    ("createCollection", {}, "", {"vectors": {"": {"size": 4, "distance": "Cosine"},
                                              "v2": {"size": 2, "distance": "Dot"},
                                              "v4": {"size": 3, "distance": "Cosine"}},
                                  "sparse_vectors": {"words": {}}, "metadata": {"team": "a"}}),
    ("updateCollection", {}, "", {"metadata": {"team": None, "city": "b"}}),
    ("createIndex", {}, "wait=true", {"field_name": "user", "field_schema": "integer"}),
    ("upsertPoints", {}, "wait=true", {"points": [
        {"id": 1, "vector": {"": V, "v2": [1, 2], "words": {"indices": [3], "values": [0.5]}},
         "payload": {"user": 7, "tags": ["x", "y"]}},
        {"id": "00112233-4455-6677-8899-aabbccddeeff", "vector": {"": [0, 1, 0, 0]},
         "payload": {"user": 8}}]}),
    ("setPayload", {}, "", {"payload": {"a": 1}, "points": [1]}),
    ("overwritePayload", {}, "", {"payload": {"user": 7, "b": 2}, "points": [1]}),
    ("deletePayload", {}, "", {"keys": ["b"], "points": [1]}),
    ("updateVectors", {}, "", {"points": [{"id": 1, "vector": {"v2": [3, 4]}}]}),
    ("deleteVectors", {}, "", {"vector": ["v2"], "points": [1]}),
    ("batchUpdate", {}, "", {"operations": [{"set_payload": {"payload": {"c": 1}, "points": [1]}}]}),
    ("getPoint", {"id": "1"}, "", None),
    ("getPoints", {}, "", {"ids": [1], "with_vector": True}),
    ("scrollPoints", {}, "", {"filter": FILTER, "order_by": "user"}),
    ("countPoints", {}, "", {"filter": FILTER}),
    ("facet", {}, "", {"key": "user"}),
    ("queryPoints", {}, "", {"query": V, "with_payload": True, "with_vector": True}),
    ("feedback", {}, "", {"feedback": [{"query_id": "a", "relevant": [1]}, {"query_id": "a", "index": 1, "relevant": []}]}),
    ("queryBatch", {}, "", {"searches": [{"query": V}, {"query": {"recommend": {"positive": [1]}}}]}),
    ("queryGroups", {}, "", {"query": V, "group_by": "user"}),
    ("searchPoints", {}, "", {"vector": V, "limit": 2}),
    ("searchBatch", {}, "", {"searches": [{"vector": V, "limit": 2}]}),
    ("searchGroups", {}, "", {"vector": V, "group_by": "user", "limit": 2, "group_size": 1}),
    ("recommendPoints", {}, "", {"positive": [1], "limit": 2}),
    ("recommendBatch", {}, "", {"searches": [{"positive": [1], "limit": 2}]}),
    ("recommendGroups", {}, "", {"positive": [1], "group_by": "user", "limit": 2, "group_size": 1}),
    ("changeAliases", {}, "", {"actions": [{"create_alias": {"collection_name": "walk",
                                                             "alias_name": "current"}}]}),
    ("addVector", {"vector_name": "v3"}, "", {"dense": {"size": 3, "distance": "Euclid"}}),
    ("deleteVector", {"vector_name": "v3"}, "", None),
    ("refresh", {}, "", {"to": "v2", "limit": 5, "seed": 3}),
    ("putHead", {"vector_name": "v2"}, "", HEAD),
    ("getHead", {"vector_name": "v2"}, "", None),
    ("putDataset", {"dataset_name": "d"}, "", DATASET),
    ("listDatasets", {}, "", None),
    ("getDataset", {"dataset_name": "d"}, "", None),
    ("learnBridge", BRIDGE, "wait=true&timeout=100", {"data": {"dataset": "d"}, "kind": "ridge"}),
    ("listBridges", {}, "", None),
    ("getBridge", BRIDGE, "", None),
    ("putBridge", BRIDGE, "", None),
    ("activateBridge", BRIDGE, "wait=true&timeout=100", {"revision": 1, "fidelity": 0.5}),
    ("deactivateBridge", BRIDGE, "wait=true&timeout=100", None),
    ("evaluateBridge", BRIDGE, "wait=true&timeout=100", {"dataset": "d"}),
    ("deleteBridge", BRIDGE, "revision=1", None),
    ("getJob", {"job_id": "1"}, "", None),
    ("cancelJob", {"job_id": "1"}, "", None),
    ("swap", {}, "wait=true&timeout=100", {"from": "v4", "to": "@default", "data": {"dataset": "d"}, "kind": "ridge",
                                           "gates": {"criterion": False}, "stop_at": "gate"}),
    ("deleteHead", {"vector_name": "v2"}, "", None),
    ("deleteDataset", {"dataset_name": "d"}, "", None),
    ("putCanary", {"vector_name": "v4"}, "", {"vectors": {"a": [1, 0, 0], "b": [0, 2, 0]}, "tolerance": 0.02}),
    ("putCanary", {"vector_name": "v4"}, "", {"vectors": {"b": [0, 3, 0.1]}}),
    ("getCanary", {"vector_name": "v4"}, "", None),
    ("deleteCanary", {"vector_name": "v4"}, "", None),
    ("putProbes", PROBES, "", {"k": 3, "queries": [
        {"vectors": {"@default": V, "v4": [1.0, 0.0, 0.0]}, "relevant": [1, 99]},
        {"id": "of 8", "vectors": {"@default": V, "v4": [0, 1, 0]}, "relevant_if": {"must": [
            {"key": "user", "match": {"value": 7}}]}, "filter": {"must_not": [{"has_id": [4]}]}}]}),
    ("listProbes", {}, "", None),
    ("runProbes", PROBES, "wait=true&timeout=100", {"from": "@default", "to": "v4"}),
    ("getProbes", PROBES, "version=1", None),
    ("deleteProbes", PROBES, "", None),
    ("createSnapshot", {}, "", None),
    ("createFullSnapshot", {}, "", None),
    ("clearPayload", {}, "", ONE),
    ("deleteIndex", {"field_name": "user"}, "", None),
    ("deletePoints", {}, "", ONE),
]
# Once more while a bridge is active, from @default to v4: what is answered otherwise then.
TWO = {"query": {"vectors": {"@default": V, "v4": [1.0, 0.0, 0.0]}}}
EXPLAIN = {"params": {"explain": True}}
SERVED = [
    ("upsertPoints", {}, "wait=true", {"points": [{"id": 2, "vector": {"v4": [0.5, 0.5, 0.1]}}]}),
    ("queryPoints", {}, "", {"query": V, **EXPLAIN}),
    ("queryPoints", {}, "", {"using": "v4", "query": [1.0, 0.0, 0.0], "with_vector": True, **EXPLAIN}),
    ("queryPoints", {}, "", {**TWO, "using": "", **EXPLAIN}),
    ("queryPoints", {}, "", EXPLAIN),
    ("queryBatch", {}, "", {"searches": [{"query": V, **EXPLAIN}, {"query": 2, "using": ""}]}),
    ("listModels", {}, "", None),
    ("listBridges", {}, "", None),
    ("getBridge", BRIDGE, "", None),
    ("refresh", {}, "", {"to": "@default"}),
    ("activateBridge", BRIDGE, "wait=true&timeout=100", {"revision": 1, "strategy": "dual", "fidelity": 1}),
    ("queryPoints", {}, "", {"query": V, **EXPLAIN}),
    ("listModels", {}, "", None),
    ("putRollout", {}, "", {"from": "v4", "to": "@default", "sample": 1, "guard": {"latency_ratio": "off"}}),
    ("route", {}, "key=a", None),
    ("advanceRollout", {}, "", {"percent": 12.5, "force": True}),
    ("getRollout", {}, "", None),
    ("promoteRollout", {}, "", {"force": True, "why": "it is a walk"}),
    ("rollbackRollout", {}, "", None),
    ("abortRollout", {}, "", {"expect": 4}),
    ("deleteRollout", {}, "", None),
    ("listRolloutEvents", {}, "since=1", None),
    ("getSwap", {}, "", None),
    ("swap", {}, "", {"from": "v4", "to": "nowhere", "data": {"pairs": "points"}, "probes": "none", "dry_run": True}),
    ("activateBridge", BRIDGE, "wait=true&timeout=100", {"revision": 1, "strategy": "forward"}),
    ("queryPoints", {}, "", {"using": "v4", "query": [1.0, 0.0, 0.0], **EXPLAIN}),
    ("listModels", {}, "", None),
]
# So many before what takes nothing.
N_FIRST = [oid for oid, *_ in SAMPLES].index("createSnapshot")
# What takes nothing but a collection, or nothing at all: before what destroys.
PLAIN = ["root", "healthz", "livez", "readyz", "metrics", "telemetry", "limits", "openapi", "issues",
         "cluster", "listCollections", "listAliases", "getCollection", "collectionExists",
         "listCollectionAliases", "collectionCluster", "listModels", "listSnapshots",
         "listFullSnapshots", "listJobs"]
LAST = ["clearIssues", "deleteCollection"]


def operations(spec):
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            yield operation["operationId"], method.upper(), path, operation


def ask(port, method, path, body):
    is_form = isinstance(body, bytes)
    data = body if is_form or body is None else json.dumps(body).encode()
    kind = "multipart/form-data; boundary=walk" if is_form else "application/json"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, method=method,
                                     headers={"Content-Type": kind} if data else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.headers.get_content_type(), reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get_content_type(), error.read()


def extra(spec, schema, value, path):
    """Members that the description does not have."""
    schema = openapi.resolve(spec, schema)
    if isinstance(value, dict) and schema.get("additionalProperties") is False:
        for name in value:
            if name not in schema.get("properties", {}):
                yield f"{path}.{name} is not described"
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from extra(spec, inner, value[name], f"{path}.{name}")
    for one in schema.get("allOf", []):
        yield from extra(spec, one, value, path)
    fitting = [one for one in schema.get("anyOf", []) if not any(openapi.check(spec, one, value, path))]
    if fitting:
        yield from extra(spec, fitting[0], value, path)
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            yield from extra(spec, schema["items"], item, f"{path}[{i}]")


def check_reply(spec, operation, status, kind, body):
    if status != 200:
        yield f"answered {status}: {body[:300]!r}"
        return
    content = operation["responses"]["200"].get("content", {})
    if kind not in content:
        yield f"answered {kind}, described are {sorted(content)}"
    elif kind == "application/json":
        value = json.loads(body)
        yield from openapi.check(spec, content[kind]["schema"], value, "$")
        yield from extra(spec, content[kind]["schema"], value, "$")


def form(content):
    return (b'--walk\r\nContent-Disposition: form-data; name="snapshot"; filename="a"\r\n\r\n' +
            content + b"\r\n--walk--\r\n")


def walk(spec, port, directory):
    known = {oid: (method, path, operation) for oid, method, path, operation in operations(spec)}
    everything = dict(known)
    names = {}

    def run(oid, params, url, body, again=False):
        method, path, operation = everything[oid]
        known.pop(oid, None)
        params = {"collection_name": "walk", **names, **params}
        if oid == "putBridge":  # the one that was learnt
            body = ask(port, "GET", "/collections/walk/bridges/@default/v4?format=safetensors", None)[2]
        for name, value in params.items():
            path = path.replace("{" + name + "}", value)
        status, kind, reply = ask(port, method, path + ("?" + url if url else ""), body)
        faults = list(check_reply(spec, operation, status, kind, reply))
        if oid in ("createSnapshot", "createFullSnapshot") and not faults:
            names["snapshot_name"] = json.loads(reply)["result"]["name"]
        yield f"{oid}, with a bridge active," if again else oid, faults

    for oid, params, url, body in SAMPLES[:N_FIRST]:
        if oid in known or oid == "putCanary":  # once to set it, once to compare
            yield from run(oid, params, url, body)
        if oid == "activateBridge":
            for sample in SERVED:
                yield from run(*sample, again=True)
    for oid in PLAIN:
        if oid in known:
            yield from run(oid, {}, "", None)
    for scope in ("", "Full"):
        if f"create{scope}Snapshot" in known:
            yield from run(f"create{scope}Snapshot", {}, "", None)
            for oid in (f"get{scope}Snapshot", f"download{scope}Snapshot"):
                if oid in known:
                    yield from run(oid, {}, "", None)
            if not scope and "recoverFromSnapshot" in known:
                place = f"file://{directory}/data/snapshots/walk/{names['snapshot_name']}"
                yield from run("recoverFromSnapshot", {}, "", {"location": place})
            if not scope and "uploadSnapshot" in known:
                path = f"{directory}/data/snapshots/walk/{names['snapshot_name']}"
                with open(path, "rb") as file:
                    yield from run("uploadSnapshot", {}, "priority=snapshot", form(file.read()))
            yield from run(f"delete{scope}Snapshot", {}, "", None)
    for oid, params, url, body in SAMPLES[N_FIRST:]:
        if oid in known:
            yield from run(oid, params, url, body)
    for oid in LAST:
        yield from run(oid, {}, "", None)
    for oid in known:
        yield oid, ["no sample calls it"]


def main():
    with tempfile.TemporaryDirectory(prefix="heirloom-walk-") as directory:
        process, port = openapi.start(sys.argv[1], directory)
        try:
            spec = json.loads(ask(port, "GET", "/openapi.json", None)[2])
            results = list(walk(spec, port, directory))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    print(f"TAP version 13\n1..{len(results)}")
    for i, (oid, faults) in enumerate(results, 1):
        print(f"{'not ok' if faults else 'ok'} {i} - {oid} does what it is described to do")
        for fault in faults[:5]:
            print(f"# {fault}")
    return any(faults for _, faults in results)


if __name__ == "__main__":
    sys.exit(main())
