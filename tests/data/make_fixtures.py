#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Writes the files under npy/ and tensors/ with NumPy's own writer, and safetensors by hand
# from its published format, so that our readers are not only tested against our writers.
# Run in this folder with python3-numpy; what it writes is committed.
#
# Matrices are 5 x 3 with value [row][column] = (row * 3 + column - 7) / 4, whole numbers
# -7, 0, 7, ... (unsigned: 0, 7, 14, ...) where they fit.
import json
import struct

import numpy as np
from numpy.lib import format as npy

real = (np.arange(15).reshape(5, 3) - 7) / 4
signed = (np.arange(5) - 1) * 7
unsigned = np.arange(5) * 7


def write_npy(name, array, version):
    with open(f"npy/{name}.npy", "wb") as file:
        npy.write_array(file, array, version=version)


for size in "248":
    for order, order_name in (("<", "little"), (">", "big")):
        for layout in "CF":
            array = np.array(real, dtype=f"{order}f{size}", order=layout)
            write_npy(f"f{size}_{order_name}_{layout}", array, (1, 0))
for size in "1248":
    for order, order_name in (("<", "little"), (">", "big")):
        write_npy(f"i{size}_{order_name}", signed.astype(f"{order}i{size}"), (1, 0))
        write_npy(f"u{size}_{order_name}", unsigned.astype(f"{order}u{size}"), (1, 0))
write_npy("v2", real.astype("<f4"), (2, 0))
write_npy("v3", real.astype("<f4"), (3, 0))
write_npy("flat", real[:, 0].astype("<f4"), (1, 0))
write_npy("empty", np.zeros((0, 3), "<f4"), (1, 0))
write_npy("bad_three_dims", np.zeros((2, 2, 2), "<f4"), (1, 0))
write_npy("bad_scalar", np.float32(1), (1, 0))
write_npy("bad_bool", np.array([True]), (1, 0))
write_npy("bad_complex", np.array([1j]), (1, 0))
write_npy("bad_record", np.zeros(2, "<f4,<i4"), (1, 0))
write_npy("bad_no_columns", np.zeros((2, 0), "<f4"), (1, 0))
beyond = real.astype("<f8")
beyond[3, 1] = 1e300
write_npy("bad_beyond_float", beyond, (1, 0))
write_npy("bad_beyond_float_F", np.asfortranarray(beyond), (1, 0))
write_npy("bad_beyond_int64", np.array([1, 2**63], "<u8"), (1, 0))


def bf16(array):
    return (array.astype("<f4").view("<u4") >> 16).astype("<u2")


def write_tensors(name, tensors, metadata=None):
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for key, dtype, shape, raw in tensors:
        header[key] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(f"tensors/{name}.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


write_tensors(
    "all",
    [
        ("f64", "F64", [5, 3], real.astype("<f8").tobytes()),
        ("i64", "I64", [5], signed.astype("<i8").tobytes()),
        ("u64", "U64", [5], unsigned.astype("<u8").tobytes()),
        ("f32", "F32", [5, 3], real.astype("<f4").tobytes()),
        ("i32", "I32", [5], signed.astype("<i4").tobytes()),
        ("u32", "U32", [5], unsigned.astype("<u4").tobytes()),
        ("f16", "F16", [5, 3], real.astype("<f2").tobytes()),
        ("bf16", "BF16", [5, 3], bf16(real).tobytes()),
        ("i16", "I16", [5], signed.astype("<i2").tobytes()),
        ("u16", "U16", [5], unsigned.astype("<u2").tobytes()),
        ("i8", "I8", [5], signed.astype("<i1").tobytes()),
        ("u8", "U8", [5], unsigned.astype("<u1").tobytes()),
        ("none", "F32", [0, 3], b""),
        ("one", "U8", [], b"\x07"),
    ],
    {"classes": '["caf\u00e9","b"]', "made by": "numpy"},
)
write_tensors("small", [("w", "F32", [2, 1], struct.pack("<ff", 1.5, -2))])
