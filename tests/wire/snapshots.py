#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Snapshots there and back over the wire: what is downloaded is what the checksum is of, and what is
recovered from it has the points that were saved, in the order that a search gave then."""
import functools
import hashlib
import http.server
import io
import json
import signal
import sys
import tarfile
import tempfile
import threading
import urllib.error
import urllib.request

import openapi

N_POINTS = 500


class Server:
    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, kind="application/json"):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method=method,
                                         headers={"Content-Type": kind} if data else {})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.read()

    def result(self, method, path, body=None):
        return json.loads(self.ask(method, path, body))["result"]

    def status(self, method, path, body=None, kind="application/json"):
        try:
            self.ask(method, path, body, kind)
            return 200
        except urllib.error.HTTPError as error:
            return error.code

    def upload(self, name, content, url=""):
        form = (b'--f\r\nContent-Disposition: form-data; name="snapshot"; filename="a"\r\n'
                b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n--f--\r\n")
        return self.status("POST", f"/collections/{name}/snapshots/upload{url}", form,
                           "multipart/form-data; boundary=f")

    def seen(self, name):
        """How many points, and which a search finds with what they carry."""
        query = {"query": [250, 1], "limit": 5, "with_payload": True}
        points = self.result("POST", f"/collections/{name}/points/query", query)["points"]
        return (self.result("POST", f"/collections/{name}/points/count", {})["count"],
                [(point["id"], point["payload"]) for point in points])


def fill(server):
    server.ask("PUT", "/collections/cats", {"vectors": {"size": 2, "distance": "Euclid"}})
    points = [{"id": i, "vector": [i, 1], "payload": {"n": i}} for i in range(N_POINTS)]
    server.ask("PUT", "/collections/cats/points?wait=true", {"points": points})
    aliases = {"actions": [{"create_alias": {"alias_name": "pets", "collection_name": "cats"}}]}
    server.ask("POST", "/collections/aliases", aliases)


class Shelf(http.server.BaseHTTPRequestHandler):
    """Another server that has a snapshot: whole, cut off, too long for what it says, for who has the key."""
    content = b""

    def do_GET(self):
        if self.path != "/a%20b.snapshot" or self.headers.get("api-key") != "sesame":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content) + self.server.missing))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_):
        pass


def fetch(server, one, seen):
    """A snapshot that another server has."""
    Shelf.content = one
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shelf) as other:
        other.missing = 0
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{other.server_address[1]}"
        whole = {"location": f"{address}/a%20b.snapshot", "api_key": "sesame",
                 "checksum": hashlib.sha256(one).hexdigest()}
        recover = functools.partial(server.status, "PUT", "/collections/afar/snapshots/recover")
        yield "what another server refuses is refused and makes none", (
            recover({**whole, "api_key": "x"}) == 400 and
            server.status("GET", "/collections/afar") == 404)
        yield "a server that is not there is said to be unavailable", (
            recover({"location": "http://127.0.0.1:1/a.snapshot"}) == 503)
        other.missing = 1
        yield "what breaks off is refused and makes none", (
            recover(whole) == 503 and server.status("GET", "/collections/afar") == 404)
        other.missing = 0
        yield "a snapshot is fetched from another server", (
            recover(whole) == 200 and server.seen("afar") == seen)
        other.shutdown()
    server.ask("DELETE", "/collections/afar")


def play(server, directory):
    fill(server)
    seen = server.seen("cats")
    yield "there is something to save", seen[0] == N_POINTS and seen[1][0] == (250, {"n": 250})

    made = server.result("POST", "/collections/cats/snapshots")
    one = server.ask("GET", f"/collections/cats/snapshots/{made['name']}")
    yield "a download has the size and the checksum that were said", (
        len(one) == made["size"] and hashlib.sha256(one).hexdigest() == made["checksum"])

    server.ask("POST", "/collections/cats/points/delete?wait=true", {"points": list(range(400))})
    server.ask("PUT", "/collections/cats/snapshots/recover",
               {"location": f"file://{directory}/data/snapshots/cats/{made['name']}",
                "checksum": made["checksum"]})
    yield "what was deleted since is there again", server.seen("cats") == seen
    yield "an alias leads to what was recovered", server.seen("pets") == seen

    yield "an upload makes a collection", (
        server.upload("more", one, f"?checksum={made['checksum']}") == 200 and
        server.seen("more") == seen)
    yield "an upload with another checksum is refused and makes none", (
        server.upload("less", one, f"?checksum={'0' * 64}") == 400 and
        server.status("GET", "/collections/less") == 404)
    yield "an upload that was cut is refused and changes nothing", (
        server.upload("more", one[:-1]) == 400 and server.seen("more") == seen)

    yield "an upload is read to its end though no memory would be given for it", (
        server.upload("more", bytes(40 << 20)) == 400 and server.seen("more") == seen)

    yield from fetch(server, one, seen)

    made = server.result("POST", "/snapshots")
    full = server.ask("GET", f"/snapshots/{made['name']}")
    yield "a full snapshot has the size and the checksum that were said", (
        len(full) == made["size"] and hashlib.sha256(full).hexdigest() == made["checksum"])
    with tarfile.open(fileobj=io.BytesIO(full)) as tar:
        config = json.load(tar.extractfile("heirloom.json"))["config"]
        yield "it says which collection is which, and the aliases", (
            sorted(config["collections"]) == ["cats", "more"] and config["aliases"] == {"pets": "cats"})
        part = tar.extractfile(config["collections"]["cats"]).read()
    yield "a collection of it is recovered alone", (
        server.upload("again", part) == 200 and server.seen("again") == seen)
    yield "it is none of one collection", server.upload("again", full) == 400

    server.ask("DELETE", "/collections/cats")
    fill(server)
    yield "a collection that was deleted leaves its snapshots", (
        len(server.result("GET", "/collections/cats/snapshots")) == 1)


def main():
    with tempfile.TemporaryDirectory(prefix="heirloom-snapshots-") as directory:
        process, port = openapi.start(sys.argv[1], directory)
        try:
            results = list(play(Server(port), directory))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    print(f"TAP version 13\n1..{len(results)}")
    for i, (sentence, is_true) in enumerate(results, 1):
        print(f"{'ok' if is_true else 'not ok'} {i} - {sentence}")
    return not all(is_true for _, is_true in results)


if __name__ == "__main__":
    sys.exit(main())
