# SPDX-License-Identifier: Apache-2.0
"""Every number of a report, and all that a fit chooses on its holdout, held against figures.py, which
works them out a second time: to 1e-4, and as far as scores nearer to each other than single precision
can tell allow. Usage: test_report.py HEIRLOOM JUDGE MODELS

Data sets, heads and bridges are written here; `heirloom evaluate` reads them and reports. What a fit chooses
is asked of JUDGE, a program of the tests."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

import figures

HEIRLOOM, JUDGE, MODELS = sys.argv[1:4]
TOLERANCE = 1e-4


# ---- data and maps ----

def vectors(data, model, part):
    return np.load(f"{MODELS}/{data}/{model}_{part}.npy").astype(np.float32).astype(np.float64)


def labels_of(data, part):
    return np.load(f"{MODELS}/{data}/labels_{part}.npy").astype(int)


def read_tensors(path):
    with open(path, "rb") as file:
        raw = file.read()
    size = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8:8 + size])
    tensors, metadata = {}, head.pop("__metadata__", {})
    for name, about in head.items():
        begin, end = about["data_offsets"]
        kind = {"F32": np.float32, "F16": np.float16}[about["dtype"]]
        tensors[name] = np.frombuffer(raw[8 + size + begin:8 + size + end], kind).reshape(
            about["shape"]).astype(np.float64)
    return tensors, metadata


def head_of(data, model):
    return read_tensors(f"{MODELS}/{data}/{model}_head.safetensors")[0]


def in_singles(map_):
    return {name: np.float32(value).astype(np.float64) for name, value in map_.items()}


def procrustes(data, new, old):
    x, t = figures.unit(vectors(data, new, "fit")), figures.unit(vectors(data, old, "fit"))
    xc, tc = x - x.mean(0), t - t.mean(0)
    u, _, vt = np.linalg.svd(tc.T @ xc, full_matrices=False)
    p = u @ vt
    p *= np.sqrt((tc ** 2).sum() / ((xc @ p.T) ** 2).sum())
    return in_singles({"p": p, "c": t.mean(0) - p @ x.mean(0)})


def ridge(data, new, old, weight=1e-4):
    x, t = figures.unit(vectors(data, new, "fit")), figures.unit(vectors(data, old, "fit"))
    x = np.hstack([x, np.ones((len(x), 1))])
    solved = np.linalg.solve(x.T @ x + weight * len(x) * np.eye(x.shape[1]), x.T @ t).T
    return in_singles({"p": solved[:, :-1], "c": solved[:, -1]})


def with_residual(map_, n_hidden, slope, seed=1):
    random = np.random.default_rng(seed)
    out, into = map_["p"].shape
    return in_singles(dict(map_, a=random.normal(0, .1, (n_hidden, into)), a_bias=random.normal(0, .05, n_hidden),
                           b=random.normal(0, .05, (out, n_hidden)), slope=np.array(slope)))


def bridge(judged, faithful, fidelity=0., text=None):
    return {"fidelity": np.float64(np.float32(fidelity)), "text": text and {"judged": text[0], "faithful": text[1]},
            "image": {"judged": judged, "faithful": faithful}}


# ---- the judge ----

KINDS = {"f": ("F32", "<f4"), "i": ("I64", "<i8"), "u": ("U8", "u1")}


def write_tensors(path, tensors, metadata):
    """Safetensors; real numbers in singles."""
    head, at, bodies = {"__metadata__": metadata}, 0, []
    for name, values in tensors.items():
        values = np.asarray(values)
        dtype, ours = KINDS[values.dtype.kind]
        body = values.astype(ours).tobytes()
        head[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [at, at + len(body)]}
        at += len(body)
        bodies.append(body)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(bodies))


MAP_NAMES = {"p": "weight", "c": "bias", "a": "down.weight", "a_bias": "down.bias", "b": "up.weight", "slope": "slope"}


def write_bridge(path, bridge_, task, names):
    tensors = {f"{prefix}{which}.{MAP_NAMES[name]}": values for prefix, way in (("", "image"), ("text.", "text"))
               for which, map_ in (bridge_[way] or {}).items() if map_ for name, values in map_.items()}
    write_tensors(path, tensors, {"format_version": "1", "from": names[0], "to": names[1], "task": task,
                                  "fidelity": repr(float(bridge_["fidelity"]))})


def read_bridge(path):
    """The bridge, and what was tuned in it."""
    tensors, metadata = read_tensors(path)

    def map_of(which):
        map_ = {ours: tensors[f"{which}.{theirs}"] for ours, theirs in MAP_NAMES.items()
                if f"{which}.{theirs}" in tensors}
        if map_ and "a" in map_ and "slope" not in map_:
            map_["slope"] = np.array(0.)
        return map_ or None
    nothing = np.zeros((len(figures.FIDELITIES), 2))
    tuned = {f"{prefix}{items}": tensors.get(f"{way}scale.{items}", nothing) for prefix, way in
             (("", ""), ("text_", "text.")) for items in ("old_items", "new_items")}
    tuned.update({name: tensors["scale." + name] for name in ("from_own", "to_own", "to_queries")})
    tuned.update(fidelity=float(metadata["fidelity"]), old_weight=float(metadata["old_weight"]),
                 strategy=metadata["strategy"])
    return bridge(map_of("judged"), map_of("faithful"), metadata["fidelity"]), tuned


def write_head(path, head, classes=None):
    if head is not None:
        classes = range(len(head["weight"])) if classes is None else classes
        write_tensors(path, head, {"classes": json.dumps([int(c) for c in classes])})


class Case:
    """Of the test rows, the first `size` queries and as many of the gallery."""

    def __init__(self, data, new, old, bridges=(), labels=True, texts=False, heads=False, words=(), size=250, is_same=False):
        labels_of_all = labels_of(data, "test")
        half = len(labels_of_all) // 2
        rows = np.r_[0:min(size, half), half:half + min(size, half)]
        self.new, self.old = vectors(data, new, "test")[rows], vectors(data, old, "test")[rows]
        self.labels = labels_of_all[rows] if labels else None
        self.head = head_of(data, old) if heads else None
        self.own = head_of(data, new) if heads else None
        self.own_classes, self.is_same, self.seed = None, is_same, 0
        self.served = None  # what its bridge says of scales and strategy, if it does
        self.bridges, self.words = list(bridges), list(words)
        self.texts = np.arange(len(rows)) % 3 == 1 if texts else None

    def take(self, rows):
        self.new, self.old = self.new[rows], self.old[rows]
        if self.labels is not None:
            self.labels = self.labels[rows]
        return self

    def write(self, folder):
        """Both as the program reads it and as the judge does; the first bridge of a chain leads to "between"."""
        data = {"new": self.new, "old": self.old}
        if self.labels is not None:
            data["labels"] = self.labels
        if self.texts is not None:
            data["modality"] = self.texts.astype(np.uint8)
        write_tensors(f"{folder}/data.safetensors", data, {})
        for name, values in (("from", self.new), ("to", self.old)):
            np.save(f"{folder}/{name}.npy", values.astype(np.float32))
        for name, values in (("labels", self.labels), ("modality", self.texts), ("own_classes", self.own_classes)):
            if values is not None:
                np.save(f"{folder}/{name}.npy", np.asarray(values).astype(np.int32))
        write_head(f"{folder}/head.safetensors", self.head)
        write_head(f"{folder}/own.safetensors", self.own, self.own_classes)
        names = ["new", "between", "old"] if len(self.bridges) == 2 else ["new", "old"]
        for hop, bridge_ in enumerate(self.bridges):
            write_bridge(f"{folder}/{hop}.safetensors", bridge_, "same" if self.is_same else "similar",
                         names[hop:hop + 2])

    def ask(self):
        """The report, and what was tuned if that is asked."""
        with tempfile.TemporaryDirectory() as folder:
            self.write(folder)
            flags = ["--from", "new", "--to", "old", "--json", folder + "/out.json"]
            for flag, name in (("--head", "head"), ("--own-head", "own"), ("--bridge", "0"), ("--then", "1")):
                if os.path.exists(f"{folder}/{name}.safetensors"):
                    flags += [flag, f"{folder}/{name}.safetensors"]
            if not self.words or "tune" in self.words:
                subprocess.run([HEIRLOOM, "evaluate", folder + "/data.safetensors"] + flags, check=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                with open(folder + "/out.json", encoding="utf-8") as file:
                    report = json.load(file)["measured"]
            if self.words:
                said = json.loads(subprocess.run([JUDGE, folder] + self.words, stdout=subprocess.PIPE,
                                                 check=True).stdout)
                if "brief" in self.words:
                    report = said["report"]
        return report, said["tuned"] if "tune" in self.words else None

    def holdout(self):
        """What was tuned on; here it is what is reported on."""
        return self

    def report(self):
        exam = figures.Exam(self.new, self.old, self.labels, self.texts)
        return figures.Report(exam, self.bridges, self.head, self.own, self.own_classes)


class Learnt(Case):
    """A bridge that `heirloom fit` learns, with the report that it prints."""

    def __init__(self, data, new, old, flags):
        super().__init__(data, new, old, heads=True, size=1000)
        self.data, self.models, self.flags, self.seed = data, (new, old), flags, 5

    def ask(self):
        at, (new, old) = f"{MODELS}/{self.data}", self.models

        def part(name):
            return ",".join(f"{at}/{what}_{name}.npy" for what in (new, old, "labels"))
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([HEIRLOOM, "fit", f"{at}/{new}_fit.npy", f"{at}/{old}_fit.npy", "--labels",
                            f"{at}/labels_fit.npy", "--choose", part("val"), "--report", part("test"),
                            "--head", f"{at}/{old}_head.safetensors", "--own-head", f"{at}/{new}_head.safetensors",
                            "--seed", str(self.seed), "--out", folder + "/out.safetensors", "--json", folder + "/out.json"] + self.flags,
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            with open(folder + "/out.json", encoding="utf-8") as file:
                said = json.load(file)
            learnt, tuned = read_bridge(folder + "/out.safetensors")
        self.bridges, self.served = [learnt], tuned
        tuned["strategies"], report = said["strategies"], said["measured"]
        return report, tuned

    def holdout(self):
        case = Case(self.data, *self.models, self.bridges, heads=True)
        case.new, case.old = (vectors(self.data, model, "val") for model in self.models)
        case.labels, case.seed = labels_of(self.data, "val"), self.seed
        return case


# ---- holding one against the other ----

class Checker:
    def __init__(self):
        self.wrong, self.n, self.n_loose, self.farthest = [], 0, 0, 0.

    def say(self, path, text):
        self.wrong.append(f"{path}: {text}")

    def close(self, path, ours, wanted, slack):
        if (ours is None) != (wanted is None or np.isnan(wanted)):
            self.say(path, f"{ours}, wanted {wanted}")
        elif ours is not None:
            self.n += 1
            self.n_loose += slack > 0
            self.farthest = max(self.farthest, abs(ours - wanted) - slack)
            if not abs(ours - wanted) <= TOLERANCE + slack:
                self.say(path, f"{ours}, wanted {wanted} within {slack}")

    def figure(self, path, ours, wanted):
        if ours is None or wanted is None:
            if ours is not wanted:
                self.say(path, f"{ours}, wanted {wanted}")
            return
        value, low, high, of, slack = wanted
        if abs(ours["of"] - of) > slack * of + .5:
            self.say(path, f"of {ours['of']}, wanted {of}")
        self.close(path, ours["value"], value, slack)
        # Where a denominator is small, what moves the value moves the interval by more.
        self.close(path + ".low", ours["low"], low, 4 * slack)
        self.close(path + ".high", ours["high"], high, 4 * slack)

    def members(self, path, ours, wanted):
        """What `wanted` does not have must be null."""
        for key, value in ours.items():
            here, meant = f"{path}.{key}", wanted.get(key)
            if isinstance(value, bool) or isinstance(meant, bool):
                if value is not meant:
                    self.say(here, f"{value}, wanted {meant}")
            elif isinstance(value, (int, float)):
                self.close(here, value, meant, 0)
            elif isinstance(value, dict) and "of" not in value:
                self.members(here, value, meant or {})
            else:
                self.figure(here, value, meant)
        for key in wanted:
            if key not in ours:
                self.say(f"{path}.{key}", "is missing")

    def rows(self, path, ours, wanted):
        if (ours is None) != (wanted is None):
            self.say(path, f"{'null' if ours is None else 'there'}")
        elif ours is not None:
            if len(ours) != len(wanted):
                self.say(path, f"{len(ours)} of them, wanted {len(wanted)}")
            for i, (a, b) in enumerate(zip(ours, wanted)):
                self.members(f"{path}[{i}]", a, b)

    def scale(self, path, ours, wanted):
        self.n += 1
        if not np.allclose(ours, wanted, rtol=2e-3, atol=2e-3):
            self.say(path, f"{ours}, wanted {wanted}")

    def one_of(self, path, ours, wanted):
        self.n += 1
        if not any(ours == value if isinstance(value, str) else abs(ours - value) < 1e-6 for value in wanted):
            self.say(path, f"{ours}, wanted one of {wanted}")


def own_fidelity(bridges):
    own = {float(b["fidelity"]) for b in bridges}
    return own.pop() if len(own) == 1 else None


def check_report(checker, case, ours):
    report, brief = case.report(), "brief" in case.words
    has_labels = report.exam.labels is not None
    groups = report.groups()
    if list(ours["groups"]) != list(groups):
        checker.say("groups", f"{list(ours['groups'])}, wanted {list(groups)}")
    checker.members("groups", ours["groups"], groups)
    checker.members("", {key: ours[key] for key in ("rows", "queries", "ranked", "gallery", "has_labels", "has_head",
                                                    "has_bridge", "is_dealt")},
                    {"rows": len(case.new), "queries": report.exam.n_queries, "ranked": report.exam.n_ranked,
                     "gallery": len(case.new) - report.exam.n_queries, "has_labels": has_labels,
                     "has_head": case.head is not None, "has_bridge": bool(case.bridges),
                     "is_dealt": bool(report.exam.is_dealt)})
    served = dict(report.step(), fidelity=own_fidelity(case.bridges)) if case.bridges else None
    checker.rows("served", ours["served"] and [ours["served"]], served and [served])
    sweep = [dict(report.step(f), fidelity=f) for f in figures.FIDELITIES] if case.bridges and not brief else None
    checker.rows("sweep", ours["sweep"], sweep)
    pairs = has_labels and not brief
    checker.rows("thresholds", ours["thresholds"], report.thresholds() if pairs else None)
    checker.rows("true_accepts", ours["true_accepts"], report.true_accepts() if pairs else None)
    if brief or len(case.bridges) != 1:
        checker.rows("strategies", ours["strategies"] and [ours["strategies"]], None)
    else:
        mixes = mixes_of(case, report, case.bridges[0]["fidelity"], case.served)
        checker.rows("mixes", ours["strategies"]["mixes"], mixes.mixes())
        checker.one_of("auto", ours["strategies"]["auto"], [case.served["strategy"] if case.served else "backward"])


def mixes_of(case, report, fidelity, tuned):
    scales, step = ((0, 0), (0, 0), (0, 0)), int(round(fidelity * 10))
    if tuned:
        scales = tuned["old_items"][step], tuned["new_items"][step], tuned["from_own"]
    return figures.Mixes(report, fidelity, scales, case.seed, case.is_same)


def check_tuning(checker, case, tuned):
    report = case.report()
    tuning = figures.Tuning(report, case.is_same)
    exam = report.exam
    checker.scale("from_own", tuned["from_own"], tuning.scale(exam.new, report.new_gallery))
    checker.scale("to_own", tuned["to_own"], tuning.scale(exam.old, report.old_gallery))
    checker.scale("to_queries", tuned["to_queries"], tuning.scale(exam.old, report.images))
    for i, fidelity in list(enumerate(figures.FIDELITIES))[::10]:
        mapped = report.mapped(fidelity)
        for prefix, is_text in (("", False), ("text_", True)):
            for items, gallery in (("old_items", report.old_gallery), ("new_items", report.images)):
                checker.scale(f"{prefix}{items}[{i}]", tuned[prefix + items][i],
                              tuning.scale(mapped, gallery, is_text))
    checker.one_of("fidelity", tuned["fidelity"], tuning.fidelities(tuning.steps()))
    checker.one_of("old_weight", tuned["old_weight"], tuning.old_weights(tuned["fidelity"]))
    mixes = mixes_of(case, report, tuned["fidelity"], tuned)
    checker.rows("tuned mixes", tuned["strategies"]["mixes"], mixes.mixes())
    checker.members("tuned leads", {key: tuned["strategies"][key] for key in ("lead", "lead_by_class")}, mixes.leads())
    checker.one_of("auto", tuned["strategies"]["auto"], mixes.better())
    checker.one_of("strategy", tuned["strategy"], [tuned["strategies"]["auto"]])


# ---- cases ----

def blend(data, new, old, fidelity=.6):
    return bridge(procrustes(data, new, old), ridge(data, new, old), fidelity)


def shuffled_own_classes():
    case = Case("glyphs", "v3", "v1c", [blend("glyphs", "v3", "v1c")], heads=True, words=["tune"], size=1000)
    order = np.random.default_rng(3).permutation(len(case.own["weight"]))
    case.own = {name: value[order] for name, value in case.own.items()}
    case.own_classes = order
    return case


def partly_labelled():
    case = Case("fashion", "v3", "v1c", [blend("fashion", "v3", "v1c")], heads=True, words=["tune"])
    case.labels[::4] = -1
    return case


def sorted_by_label():
    case = Case("glyphs", "v3", "v1", [blend("glyphs", "v3", "v1")], words=["tune"])
    return case.take(np.argsort(case.labels, kind="stable"))


def two_ways():
    text = (with_residual(procrustes("fashion", "v3", "v1"), 8, 0.), ridge("fashion", "v3", "v1", 1e-2))
    return Case("fashion", "v3", "v1", [bridge(procrustes("fashion", "v3", "v1"), ridge("fashion", "v3", "v1"), .4, text)],
                heads=True, texts=True, words=["tune"])


def residuals():
    base, old = ridge("fashion", "v3", "v1c"), ("fashion", "v3", "v1c")
    return Case(*old, [bridge(with_residual(procrustes(*old), 16, .1), with_residual(base, 16, 0., 2), .3)], heads=True,
                words=["tune"])


CASES = {
    "a bridge with both heads": lambda: Case("fashion", "v3", "v1", [blend("fashion", "v3", "v1")], heads=True,
                                             words=["tune"], size=1000),
    "residual maps, classes the old head does not know": residuals,
    "many classes, a new head in an order of its own": shuffled_own_classes,
    "a chain of two at two fidelities": lambda: Case("fashion", "v3", "v1", [blend("fashion", "v3", "v2", .2),
                                                                            blend("fashion", "v2", "v1", .7)]),
    "a chain of two at one fidelity": lambda: Case("glyphs", "v3", "v1", [blend("glyphs", "v3", "v2", .5),
                                                                         blend("glyphs", "v2", "v1", .5)], heads=True),
    "two models without a bridge": lambda: Case("fashion", "v3", "v1", heads=True),
    "two models without heads": lambda: Case("glyphs", "v3", "v1c"),
    "no labels": lambda: Case("fashion", "v3", "v1", [blend("fashion", "v3", "v1", 1.)], labels=False, words=["tune"]),
    "the very photograph": lambda: Case("glyphs", "v3", "v1", [blend("glyphs", "v3", "v1")], words=["tune"],
                                         is_same=True),
    "one map for everything": lambda: Case("fashion", "v3", "v1", [bridge(None, procrustes("fashion", "v3", "v1"))],
                                           words=["tune"]),
    "labels that are not all known": partly_labelled,
    "rows that lie sorted by label": sorted_by_label,
    "text beside images, each its own way": two_ways,
    "text that goes the images' way": lambda: Case("fashion", "v3", "v1", [blend("fashion", "v3", "v1")],
                                                   texts=True, words=["tune"]),
    "no labels, text beside images": lambda: Case("fashion", "v3", "v1", [blend("fashion", "v3", "v1")], labels=False,
                                                  texts=True, words=["tune"]),
    "a brief report": lambda: Case("fashion", "v3", "v1c", [blend("fashion", "v3", "v1c")], heads=True, words=["brief"]),
    "a bridge that was learnt, and tuned on other rows": lambda: Learnt("fashion", "v3", "v1c", [
        "--kind", "residual", "--hidden", "16"]),
    "nine rows": lambda: Case("fashion", "v3", "v1", [blend("fashion", "v3", "v1")], heads=True).take(np.arange(9)),
}


def main():
    print(f"1..{len(CASES)}")
    n_failed = 0
    for number, (name, make) in enumerate(CASES.items(), 1):
        case, checker = make(), Checker()
        ours, tuned = case.ask()
        check_report(checker, case, ours)
        if tuned:
            check_tuning(checker, case.holdout(), tuned)
        n_failed += bool(checker.wrong)
        print(f"{'not ok' if checker.wrong else 'ok'} {number} - {name}")
        print(f"# {checker.n} numbers, {checker.n_loose} of them with slack, the farthest {checker.farthest:.1e} off")
        for line in checker.wrong[:12]:
            print("# " + line)
        sys.stdout.flush()
    return n_failed > 0


if __name__ == "__main__":
    sys.exit(main())
