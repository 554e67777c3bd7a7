#!/usr/bin/env python3
"""Writes tests/golden/safetensors/*.safetensors with the reference implementation.

The bytes come from the Rust serialiser inside the Python package, so they are what every Hugging
Face tool writes. tests/unit/test_safetensors.c reads them, and writes the same tensors to the same
bytes. Every tensor's data are the bytes 0, 1, 2, ... (mod 251), so no rounding is involved.

Made with: Python 3.11.7, safetensors 0.8.0.
Run with:  python3 -m pip install safetensors==0.8.0 && python3 tests/golden/make_safetensors.py
"""

import ctypes
import math
import pathlib

import safetensors

FOLDER = pathlib.Path(__file__).parent / "safetensors"

# Name in the header, name the package takes, bytes of an element.
DTYPES = [
    ("BOOL", "bool", 1),
    ("U8", "uint8", 1),
    ("I8", "int8", 1),
    ("F8_E5M2", "float8_e5m2", 1),
    ("F8_E4M3", "float8_e4m3fn", 1),
    ("F8_E8M0", "float8_e8m0fnu", 1),
    ("F8_E4M3FNUZ", "float8_e4m3fnuz", 1),
    ("F8_E5M2FNUZ", "float8_e5m2fnuz", 1),
    ("I16", "int16", 2),
    ("U16", "uint16", 2),
    ("F16", "float16", 2),
    ("BF16", "bfloat16", 2),
    ("I32", "int32", 4),
    ("U32", "uint32", 4),
    ("F32", "float32", 4),
    ("C64", "complex64", 8),
    ("F64", "float64", 8),
    ("I64", "int64", 8),
    ("U64", "uint64", 8),
]


def serialise(tensors, metadata=None):
    """tensors: name -> (dtype of the package, shape, bytes of an element)."""
    specs, buffers = {}, []
    for name, (dtype, shape, element_bytes) in tensors.items():
        count = math.prod(shape) * element_bytes
        buffer = (ctypes.c_ubyte * max(count, 1))(*(i % 251 for i in range(count)))
        buffers.append(buffer)
        specs[name] = safetensors.TensorSpec(
            dtype=dtype, shape=list(shape), data_ptr=ctypes.addressof(buffer), data_len=count
        )
    return bytes(safetensors.serialize(specs, metadata=metadata))


def main():
    FOLDER.mkdir(exist_ok=True)
    files = {
        "every_dtype": serialise({f"t.{h}": (p, (3,), size) for h, p, size in DTYPES}),
        "shapes_and_names": serialise(
            {
                "model.layers.10.weight": ("float32", (2, 3), 4),
                "model.layers.9.weight": ("float32", (3, 2), 4),
                "model.norm": ("bfloat16", (5,), 2),
                "scalar": ("float32", (), 4),
                "empty": ("float32", (0, 4), 4),
                'quoted "name" \\ / \t\x01 \u00e9 \u6f22 \U0001f600': ("int64", (1, 1, 1, 2), 8),
            },
            metadata={"format": "pt"},
        ),
        "no_tensors": serialise({}),
    }
    for name, contents in files.items():
        (FOLDER / f"{name}.safetensors").write_bytes(contents)


if __name__ == "__main__":
    main()
