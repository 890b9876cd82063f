#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts the files of this folder from the embeddings of Fashion-MNIST that README.md describes.

    cut.py EMBEDDINGS [FOLDER]

EMBEDDINGS holds v1_test.npy and its like, 10,000 rows each. Nothing is drawn by chance: the same
embeddings give the same bytes."""
import base64
import json
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "compat"))
import files  # noqa: E402

LABELS = ["t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
PAIRS = slice(6000, 10000)   # of val: training images 56,000 to 59,999
QUERIES = slice(1000, 2000)   # of val: training images 51,000 to 51,999
FIRST_QUERY = 51000
N_PROBES = 200


def text_of(vector):
    return base64.b64encode(np.ascontiguousarray(vector, "<f4").tobytes()).decode()


def is_label(name):
    return {"must": [{"key": "label", "match": {"value": name}}]}


def save_lines(path, lines):
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), encoding="utf-8")


def cut(source, folder):
    def rows(name):
        return np.load(source / f"{name}.npy")

    np.save(folder / "gallery.npy", rows("v1_test"))
    np.save(folder / "gallery_v3.npy", rows("v3_test"))
    save_lines(folder / "gallery.ndjson", ({"label": LABELS[label], "image": i}
                                           for i, label in enumerate(rows("labels_test"))))
    for name, which in (("pairs", PAIRS), ("queries", QUERIES)):
        files.save_dataset(folder / f"{name}.safetensors",
                           {"@default": rows("v1_val")[which], "v3": rows("v3_val")[which]},
                           rows("labels_val")[which].astype("<i2"))
    old, new, labels = (rows(f"{name}_val")[QUERIES] for name in ("v1", "v3", "labels"))
    save_lines(folder / "probes.ndjson", (
        {"id": f"image-{FIRST_QUERY + i}", "vectors": {"@default": text_of(old[i]), "v3": text_of(new[i])},
         "relevant_if": is_label(LABELS[labels[i]])} for i in range(N_PROBES)))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    cut(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else HERE)
