# SPDX-License-Identifier: Apache-2.0
"""The layouts of compat/FILES.md in both directions: numpy writes what heirloom reads, and reads what
heirloom writes, down to the figures of a report. Usage: test_files.py HEIRLOOM MODELS DOCUMENT"""
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

import files

HEIRLOOM, MODELS, DOCUMENT = map(os.path.abspath, sys.argv[1:4])
os.environ["OPENBLAS_NUM_THREADS"] = "1"


def vectors(model, part):
    return np.load(f"{MODELS}/fashion/{model}_{part}.npy")


def labels(part):
    return np.load(f"{MODELS}/fashion/labels_{part}.npy")


def run(*words):
    done = subprocess.run([HEIRLOOM, *words], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def report(path):
    with open(path) as file:
        return json.load(file)


def top1(queries, gallery, query_labels, gallery_labels):
    found = gallery_labels[np.argmax(queries @ gallery.T, axis=1)]
    return float((found == query_labels).mean())


def self1(mapped, gallery):
    return float((np.argmax(mapped @ gallery.T, axis=1) == np.arange(len(gallery))).mean())


def close(got, wanted):
    assert abs(got - wanted) <= .002, f"{got} instead of {wanted}"


def figures_of(bridge, measured):
    """What the report says of a bridge on the test rows, worked out by files.py."""
    new, old, marks = vectors("v3", "test"), files.unit(vectors("v1", "test")), labels("test")
    half = len(new) // 2
    queries, gallery = new[:half], old[half:]
    group = measured["groups"]["all"]
    close(top1(files.map_queries(bridge, queries, 0), gallery, marks[:half], marks[half:]),
          group["new_old"]["top1"]["value"])
    for step in measured["sweep"]:
        mapped = files.map_queries(bridge, new, step["fidelity"])
        close(top1(mapped[:half], gallery, marks[:half], marks[half:]), step["top1"]["value"])
        close(self1(mapped[half:], gallery), step["self1"]["value"])
    images = files.map_items(bridge, new[half:])
    close(top1(old[:half], images, marks[:half], marks[half:]), group["old_new"]["top1"]["value"])


def a_bridge_is_what_the_layout_says():
    files.save_dataset("fit.safetensors", {"v3": vectors("v3", "fit"), "v1": vectors("v1", "fit")},
                       labels("fit"))
    head = files.load_head(f"{MODELS}/fashion/v1_head.safetensors")
    files.save_head("head.safetensors", *head)
    files.save_dataset("test.safetensors", {"v3": vectors("v3", "test"), "v1": vectors("v1", "test")},
                       labels("test"), np.zeros(len(labels("test")), "u1"))
    run("fit", "fit.safetensors", "--from", "v3", "--to", "v1", "--head", "head.safetensors", "--kind",
        "residual", "--hidden", "32", "--report", "test.safetensors", "--out", "b.safetensors",
        "--json", "b.json")
    bridge, told = files.load_tensors("b.safetensors"), report("b.json")
    assert bridge[1]["from"] == "v3" and bridge[1]["to"] == "v1" and bridge[1]["kind"] == "residual"
    assert bridge[0]["judged.down.weight"].shape == (32, 128)
    assert json.loads(bridge[1]["report"]) == told
    close(float(bridge[1]["fidelity"]), told["fidelity"])
    figures_of(bridge, told["measured"])
    known = np.array(head[2])
    said = known[np.argmax(files.logits(head, vectors("v1", "test")), axis=1)]
    close(float((said == labels("test")).mean()), told["measured"]["groups"]["all"]["old_accuracy"]["value"])


def a_bridge_stays_sound_when_its_tensors_are_put_in_another_order():
    tensors, metadata = files.load_tensors("b.safetensors")
    files.save_tensors("order.safetensors", dict(reversed(list(tensors.items()))), metadata)
    run("evaluate", "test.safetensors", "--bridge", "order.safetensors", "--json", "order.json")
    figures_of((tensors, metadata), report("order.json")["measured"])


def a_bridge_learnt_elsewhere_is_judged():
    x, t = files.unit(vectors("v3", "fit")), files.unit(vectors("v1", "fit"))
    ones = np.hstack([x, np.ones((len(x), 1), "f4")]).astype("f8")
    solved = np.linalg.solve(ones.T @ ones + .1 * np.eye(ones.shape[1]), ones.T @ t).T.astype("f4")
    files.save_bridge("own.safetensors", "v3", "v1", solved[:, :-1], solved[:, -1])
    run("evaluate", "test.safetensors", "--bridge", "own.safetensors", "--json", "own.json")
    figures_of(files.load_tensors("own.safetensors"), report("own.json")["measured"])


def a_data_set_is_read_as_it_was_written():
    models, marks, modality = files.load_dataset("test.safetensors")
    assert sorted(models) == ["v1", "v3"] and (marks == labels("test")).all() and not modality.any()
    files.save_dataset("wide.safetensors", {name: rows.astype("f4") * 3 for name, rows in models.items()},
                       marks.astype("i8"))
    for name in ("test", "wide"):
        run("evaluate", f"{name}.safetensors", "--bridge", "own.safetensors", "--json", f"{name}.json")
    one, other = (report(f"{name}.json")["measured"]["groups"]["all"]["new_old"]["map"]["value"]
                  for name in ("test", "wide"))
    close(one, other)


def a_chain_is_judged_beside_the_direct_bridge():
    def npy(model, part):
        return f"{MODELS}/fashion/{model}_{part}.npy"

    def fit(new, old, out):
        run("fit", npy(new, "fit"), npy(old, "fit"), "--from", new, "--to", old, "--kind", "procrustes",
            "--out", out)
    fit("v3", "v2", "32.safetensors")
    fit("v2", "v1", "21.safetensors")
    fit("v3", "v1", "31.safetensors")
    run("evaluate", npy("v3", "test"), npy("v1", "test"), "--labels", npy("labels", "test"), "--bridge",
        "32.safetensors", "--then", "21.safetensors", "--against", "31.safetensors", "--json", "c.json")
    new, old, marks = vectors("v3", "test"), files.unit(vectors("v1", "test")), labels("test")
    half, told = len(new) // 2, report("c.json")
    chain = files.map_queries(files.load_tensors("21.safetensors"),
                              files.map_queries(files.load_tensors("32.safetensors"), new[:half]))
    direct = files.map_queries(files.load_tensors("31.safetensors"), new[:half])
    for mapped, measured in ((chain, told["measured"]), (direct, told["against"]["measured"])):
        close(top1(mapped, old[half:], marks[:half], marks[half:]),
              measured["groups"]["all"]["new_old"]["top1"]["value"])


def two_models_are_compared_without_a_bridge():
    run("evaluate", "test.safetensors", "--from", "v3", "--to", "v1", "--json", "none.json")
    group, half = report("none.json")["measured"]["groups"]["all"], len(labels("test")) // 2
    for name, model in (("new_new", "v3"), ("old_old", "v1")):
        rows = files.unit(vectors(model, "test"))
        close(top1(rows[:half], rows[half:], labels("test")[:half], labels("test")[half:]),
              group[name]["top1"]["value"])
    assert group["new_old"]["top1"] is None


def the_lines_in_the_document_do_what_they_say():
    """In two parts: heirloom's own file is written between them."""
    with open(DOCUMENT, encoding="utf-8") as file:
        (lines,) = re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)
    writing, reading = lines.split("# And what `")
    weight, bias, _ = files.load_head(f"{MODELS}/fashion/v1_head.safetensors")
    names = {"new": vectors("v3", "fit").astype("f4"), "old": vectors("v1", "fit").astype("f4"),
             "labels": labels("fit"), "weight": weight, "bias": bias}
    exec(writing, names)
    words, out = re.search(r"heirloom (fit .*?) --out (\S+)`", lines).groups()
    run(*words.split(), "--out", out, "--kind", "residual", "--hidden", "32")
    exec("# " + reading, names)
    mapped = files.map_items(files.load_tensors(out), names["new"])
    assert np.abs(mapped - names["items"]).max() < 1e-5
    assert names["report"]["kind"] == "residual"
    run("evaluate", "photos.safetensors", "--bridge", "own.safetensors", "--head", "head.safetensors",
        "--json", "own.json")
    measured = report("own.json")["measured"]["groups"]["all"]
    assert measured["self10"]["value"] > .5 and measured["old_accuracy"]["value"] > .8, measured


def what_cannot_be_written_is_said_before_anything_is_read():
    for words in (("fit", "fit.safetensors", "--from", "v3", "--to", "v1", "--out", "no/b.safetensors"),
                  ("fit", "fit.safetensors", "--from", "v3", "--to", "v1", "--json", "no/b.json"),
                  ("evaluate", "test.safetensors", "--bridge", "nowhere.safetensors", "--json", "no/b.json")):
        done = subprocess.run([HEIRLOOM, *words], capture_output=True, text=True, timeout=240)
        assert done.returncode == 1 and done.stdout == "" and words[-1] in done.stderr and \
            "fit:" not in done.stderr and "nowhere" not in done.stderr, (words, done)


def main():
    tests = [the_lines_in_the_document_do_what_they_say, a_bridge_is_what_the_layout_says,
             a_bridge_stays_sound_when_its_tensors_are_put_in_another_order, a_bridge_learnt_elsewhere_is_judged,
             a_data_set_is_read_as_it_was_written, a_chain_is_judged_beside_the_direct_bridge,
             two_models_are_compared_without_a_bridge, what_cannot_be_written_is_said_before_anything_is_read]
    failed = 0
    print(f"1..{len(tests)}")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for i, test in enumerate(tests):
            try:
                test()
                print(f"ok {i + 1} - {test.__name__.replace('_', ' ')}")
            except Exception as error:
                failed += 1
                print(f"not ok {i + 1} - {test.__name__.replace('_', ' ')}\n# {error!r}")
        os.chdir("/")
    return 1 if failed else 0


sys.exit(main())
