#!/usr/bin/env python3
"""Writes the hand-made seeds of tests/fuzz/corpus/safetensors: one file per way of being wrong."""

import json
import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent / "corpus" / "safetensors"


def tensor(dtype="U8", shape=(4,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def image(header, data_bytes=0, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(data_bytes)


SEEDS = {
    "valid": image(
        {
            "__metadata__": {"format": "pt"},
            "a": tensor("F32", (2, 3), (0, 24)),
            "b": tensor("BF16", (5,), (24, 34)),
            "scalar": tensor("I64", (), (34, 42)),
            "empty": tensor("F64", (0, 7), (42, 42)),
        },
        42,
    ),
    "valid_no_tensors": image({}),
    "valid_padded": image(b'{"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}   ', 1),
    "too_short": b"\x02\x00\x00",
    "header_empty": image(b""),
    "header_not_an_object": image(b"[1]"),
    "header_longer_than_file": image({"a": tensor()}, 4, length=5000),
    "header_length_wraps": image({"a": tensor()}, 4, length=2**64 - 1),
    "header_above_limit": image({"a": tensor()}, 4, length=100_000_001),
    "overlap": image({"a": tensor(), "b": tensor(offsets=(2, 6))}, 6),
    "same_place_twice": image({"a": tensor(), "b": tensor()}, 4),
    "hole": image({"a": tensor(), "b": tensor(offsets=(6, 10))}, 10),
    "starts_late": image({"a": tensor(offsets=(1, 5))}, 5),
    "trailing_bytes": image({"a": tensor()}, 9),
    "data_cut_short": image({"a": tensor()}, 2),
    "offsets_reversed": image({"a": tensor(offsets=(4, 0))}, 4),
    "offsets_huge": image({"a": tensor(offsets=(0, 2**53 - 1))}, 4),
    "shape_2_to_63": image({"a": tensor(shape=(2**32, 2**31), offsets=(0, 0))}),
    "shape_2_to_63_bytes": image({"a": tensor("F64", (2**40, 2**20), (0, 0))}),
    "shape_overflow_times_zero": image({"a": tensor(shape=(2**40, 2**40, 0), offsets=(0, 0))}),
    "shape_beyond_2_to_53": image({"a": tensor(shape=(2**63,), offsets=(0, 0))}),
    "shape_negative": image({"a": tensor(shape=(-4,))}, 4),
    "shape_nine_dimensions": image({"a": tensor(shape=(1,) * 8 + (4,))}, 4),
    "duplicate_name": image(
        b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
        b'"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'
    ),
    "duplicate_metadata": image(b'{"__metadata__":{},"__metadata__":{}}'),
    "depth_bomb": image(b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"),
    "dtype_below_a_byte": image({"a": tensor("F4", (8,), (0, 4))}, 4),
    "dtype_unknown": image({"a": tensor("F128", (1,), (0, 16))}, 16),
    "metadata_not_text": image({"__metadata__": {"a": 1}}),
    "not_utf8": image(b'{"\xff\xfe":1}'),
    "json_cut_short": image(b'{"a":{"dtype":"U8","shape":[4'),
}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, contents in SEEDS.items():
        (FOLDER / name).write_bytes(contents)


if __name__ == "__main__":
    main()
