# SPDX-License-Identifier: Apache-2.0
"""What the tests of rollouts share: a gallery of real photographs that an old and a new model see, a rollout from the
one to the other, and queries that bring the vectors of both."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "compat"))
import gallery  # noqa: E402

OLD, NEW = "v1", "v3"


class Tried:
    """Every third photograph was taken with the new model alone."""

    def __init__(self, server, models, name, sample):
        self.data = gallery.Set(models, "fashion", [OLD, NEW])
        self.server = server
        self.all = gallery.Gallery(server, name, self.data)
        self.path = self.all.path
        self.all.give_lessons()
        self.all.put(range(self.data.n), lambda i: [NEW] if i % 3 == 0 else [OLD])
        self.all.learn(NEW, OLD, "ridge")
        self.all.activate(NEW, OLD, "backward")
        self.set_sample(sample)

    def set_sample(self, sample):
        """Of a rollout that is in shadow, or begins."""
        self.server.result("PUT", f"{self.path}/rollout", {"from": OLD, "to": NEW, "sample": sample})

    def vector(self, model, q):
        return gallery.text_of(self.data.queries[model][q])

    def both(self, q, **params):
        """A query as each of the models sees it."""
        return {"query": {"vectors": {OLD: self.vector(OLD, q), NEW: self.vector(NEW, q)}}, "limit": 3,
                "params": params}

    def counted(self, stage):
        return self.server.result("GET", f"{self.path}/rollout")["comparison"][stage]


def tell(results):
    """(what, whether it is so) each, as TAP; whether all are."""
    results = list(results)
    print(f"1..{len(results)}")
    for i, (what, is_so) in enumerate(results, 1):
        print(f"{'ok' if is_so else 'not ok'} {i} - {what}")
    return all(is_so for _, is_so in results)
