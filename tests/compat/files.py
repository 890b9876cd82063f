# SPDX-License-Identifier: Apache-2.0
# Reads and writes heads, data sets and bridges with numpy alone: an example of what compat/FILES.md
# says, and what test_files.py tries it with. With the package `safetensors` the first two functions
# are its save_file and safe_open.
import hashlib
import json
import struct

import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "U8": "u1"}
NAMES = {np.dtype(numpy): name for name, numpy in TYPES.items()}


def save_tensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load_tensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    metadata = header.pop("__metadata__", {})
    tensors, sum_ = {}, hashlib.sha256()
    for name, entry in sorted(header.items()):
        begin, end = entry["data_offsets"]
        sum_.update(data[begin:end])
        tensors[name] = np.frombuffer(data[begin:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    if metadata.get("sha256", sum_.hexdigest()) != sum_.hexdigest():
        raise ValueError(f"{path} is damaged")
    return tensors, metadata


# ---- a head ----

def save_head(path, weight, bias, classes):
    save_tensors(path, {"weight": weight, "bias": bias}, {"classes": json.dumps(classes)})


def load_head(path):
    tensors, metadata = load_tensors(path)
    weight = tensors["weight"].astype("f4")
    return weight, tensors.get("bias", np.zeros(len(weight), "f4")), json.loads(metadata["classes"])


def logits(head, vectors):
    weight, bias, _ = head
    return unit(vectors) @ weight.T + bias


# ---- a data set ----

def save_dataset(path, models, labels=None, modality=None):
    tensors = dict(models)
    if labels is not None:
        tensors["labels"] = labels
    if modality is not None:
        tensors["modality"] = modality
    save_tensors(path, tensors, {})


def load_dataset(path):
    tensors, _ = load_tensors(path)
    marks = {name: tensors.pop(name, None) for name in ("labels", "modality")}
    return tensors, marks["labels"], marks["modality"]


# ---- a bridge ----

def unit(vectors):
    vectors = np.asarray(vectors, "f4")
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def save_bridge(path, source, target, weight, bias=None):
    """One linear map, learnt elsewhere: `weight` is out x in, as torch.nn.Linear has it."""
    tensors = {"faithful.weight": weight}
    if bias is not None:
        tensors["faithful.bias"] = bias
    save_tensors(path, tensors, {"format_version": "1", "from": source, "to": target, "kind": "ridge"})


def apply_map(tensors, name, vectors):
    """y = normalise(P·x + c + B·act(A·x + a))"""
    x = unit(vectors)
    y = x @ tensors[f"{name}.weight"].T
    if f"{name}.bias" in tensors:
        y = y + tensors[f"{name}.bias"]
    if f"{name}.down.weight" in tensors:
        hidden = x @ tensors[f"{name}.down.weight"].T
        if f"{name}.down.bias" in tensors:
            hidden = hidden + tensors[f"{name}.down.bias"]
        slope = float(tensors[f"{name}.slope"].reshape(())) if f"{name}.slope" in tensors else 0.0
        y = y + np.where(hidden < 0, slope * hidden, hidden) @ tensors[f"{name}.up.weight"].T
    return unit(y)


def map_items(bridge, vectors):
    return apply_map(bridge[0], "faithful", vectors)


def map_queries(bridge, vectors, fidelity=None):
    tensors, metadata = bridge
    if fidelity is None:
        fidelity = float(metadata.get("fidelity", 0))
    faithful = apply_map(tensors, "faithful", vectors)
    if "judged.weight" not in tensors or fidelity == 1:
        return faithful
    return unit((1 - fidelity) * apply_map(tensors, "judged", vectors) + fidelity * faithful)
