#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replies of the running server against Qdrant's OpenAPI file, where there is one.

    openapi.py HEIRLOOM DEFAULT_PATH

The file is HEIRLOOM_QDRANT_OPENAPI, or DEFAULT_PATH; without either every test is skipped and
says so. Checks the status, the content type and, for JSON, the schema: as much of JSON schema
as that file uses. Ours may have more members than Qdrant's, never fewer."""
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

START_LIMIT_S = 60


def resolve(spec, schema):
    while "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        schema = spec["components"]["schemas"][name]
    return schema


TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}


def is_type(value, name):
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def check_object(spec, schema, value, path):
    for name in schema.get("required", []):
        if name not in value:
            yield f"{path}.{name} is not there"
    more = schema.get("additionalProperties")
    for name, inner in value.items():
        known = schema.get("properties", {}).get(name)
        if known is not None:
            yield from check(spec, known, inner, f"{path}.{name}")
        elif isinstance(more, dict):
            yield from check(spec, more, inner, f"{path}.{name}")


def check(spec, schema, value, path):
    """Yields what is wrong."""
    schema = resolve(spec, schema)
    if value is None and (schema.get("nullable") or schema == {}):
        return
    for key in ("anyOf", "oneOf"):
        if key in schema and all(any(check(spec, one, value, path)) for one in schema[key]):
            yield f"{path} fits none of its kinds: {json.dumps(value)[:200]}"
    for one in schema.get("allOf", []):
        yield from check(spec, one, value, path)
    if "type" in schema and not is_type(value, schema["type"]):
        yield f"{path} is not of type {schema['type']}: {json.dumps(value)[:200]}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path} is none of {schema['enum']}: {json.dumps(value)}"
    if schema.get("format") == "date-time" and not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value):
        yield f"{path} is no date and time: {value}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{path} is below {schema['minimum']}"
    if isinstance(value, dict):
        yield from check_object(spec, schema, value, path)
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield from check(spec, schema.get("items", {}), inner, f"{path}[{i}]")


def call(port, path):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def check_call(spec, port, path):
    """What is wrong with GET path."""
    status, headers, body = call(port, path)
    content = spec["paths"][path]["get"]["responses"]["200"]["content"]
    kind = headers.get_content_type()
    if status != 200:
        yield f"the status is {status}"
    elif kind not in content:
        yield f"the content type is {kind}, not {list(content)}"
    elif kind == "application/json":
        yield from check(spec, content[kind]["schema"], json.loads(body), "$")
    elif path != "/metrics" and body.decode() != content[kind]["schema"]["example"]:
        yield f"the text is {body!r}"


def check_error(spec, port):
    status, _, body = call(port, "/nowhere")
    if status != 404:
        yield f"the status is {status}"
    yield from check(spec, {"$ref": "#/components/schemas/ErrorResponse"}, json.loads(body), "$")


LINE = re.compile(
    r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\["\\n])*",?)*\})?'
    r" ([-+]?[0-9.eE+-]+|[+-]Inf|NaN)$")


def check_metrics(port):
    """The exposition itself: each line, each family typed once and together, no series twice."""
    text = call(port, "/metrics")[2].decode()
    types, families, series = {}, [], set()
    if not text.endswith("\n"):
        yield "the last line has no end"
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in types:
                yield f"{name} is typed twice"
            types[name] = kind
        elif line.startswith("#") or not line:
            continue
        elif not LINE.match(line):
            yield f"this is no sample: {line}"
        else:
            key, _ = line.rsplit(" ", 1)
            name = key.split("{", 1)[0]
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            family = name if name in types else base
            if family not in types:
                yield f"{name} has no type"
            if key in series:
                yield f"{key} is there twice"
            if family in families[:-1]:
                yield f"{family} is not together"
            series.add(key)
            if not families or families[-1] != family:
                families.append(family)


def start(program, directory, settings=None):
    log = open(os.path.join(directory, "log"), "w+")
    env = {k: v for k, v in os.environ.items() if not k.startswith("HEIRLOOM")} | (settings or {})
    server = subprocess.Popen(
        [program, "serve", "--port", "0", "--data", os.path.join(directory, "data")],
        stderr=log, stdout=log, env=env)
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until and server.poll() is None:
        with open(log.name) as text:
            found = re.search(r"event=listening .*port=(\d+).*\n", text.read())
        if found:
            return server, int(found.group(1))
        time.sleep(0.01)
    with open(log.name) as text:
        print("# the server did not start:", text.read())
    server.kill()
    sys.exit(1)


def main():
    program, default = sys.argv[1:]
    path = os.environ.get("HEIRLOOM_QDRANT_OPENAPI") or default
    spec = None
    if os.path.exists(path):
        with open(path) as file:
            spec = json.load(file)
    paths = ["/", "/healthz", "/livez", "/readyz", "/metrics", "/telemetry"]
    failed = n = 0
    print(f"1..{len(paths) + 2}")
    with tempfile.TemporaryDirectory() as directory:
        server, port = start(program, directory)
        tests = [(f"GET {one} is in the shape of Qdrant's", one) for one in paths]
        tests.append(("an error is in the shape of Qdrant's", None))
        for title, one in tests:
            n += 1
            if spec is None:
                print(f"ok {n} - {title} # SKIP there is no {path}")
                continue
            faults = list(check_call(spec, port, one) if one else check_error(spec, port))
            failed += bool(faults)
            print("".join(f"# {fault}\n" for fault in faults), end="")
            print(f"{'not ok' if faults else 'ok'} {n} - {title}")
        faults = list(check_metrics(port))
        failed += bool(faults)
        print("".join(f"# {fault}\n" for fault in faults), end="")
        print(f"{'not ok' if faults else 'ok'} {n + 1} - the metrics are a valid exposition")
        server.send_signal(signal.SIGTERM)
        failed += server.wait(timeout=START_LIMIT_S) != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
