#!/usr/bin/env python3
"""Writes the hand-made seeds of tests/fuzz/corpus/gguf: one file per way of being wrong."""

import pathlib
import struct

FOLDER = pathlib.Path(__file__).parent / "corpus" / "gguf"


def text(value):
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def tensor(name, sizes, kind, offset):
    return (text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, kind, offset))


def image(keys=(), tensors=(), data=0, version=3, counts=None, alignment=32):
    n_tensors, n_keys = counts or (len(tensors), len(keys))
    head = b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys) + b"".join([*keys, *tensors])
    return head + bytes(-len(head) % alignment) + bytes(data)


KEYS = [
    key("general.architecture", 8, text("llama")),
    key("llama.block_count", 4, struct.pack("<I", 2)),
    key("llama.rope.freq_base", 6, struct.pack("<f", 1e4)),
    key("tokenizer.ggml.add_bos_token", 7, b"\1"),
    key("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text(b"\xff")),
    key("tokenizer.ggml.token_type", 9, struct.pack("<IQii", 5, 2, 1, -1)),
]

SEEDS = {
    "valid": image(KEYS, [tensor("w", (4, 2), 0, 0), tensor("q", (32,), 8, 32)], 96),
    "version_2": image(KEYS[:1], version=2),
    "version_1": image(version=1),
    "big_endian": image(version=0x03000000),
    "alignment": image([key("general.alignment", 4, struct.pack("<I", 64))],
                       [tensor("w", (8,), 0, 0)], 32, alignment=64),
    "alignment_odd": image([key("general.alignment", 4, struct.pack("<I", 3))]),
    "counts": image(counts=(2**63, 2**63)),
    "nested": image([key("a", 9, struct.pack("<IQ", 9, 1))]),
    "array_count": image([key("a", 9, struct.pack("<IQ", 8, 2**61))]),
    "twin_keys": image(KEYS[:1] * 2),
    "twin_tensors": image((), [tensor("w", (8,), 0, 0), tensor("w", (8,), 0, 32)], 64),
    "overlap": image((), [tensor("a", (12,), 0, 0), tensor("b", (8,), 0, 32)], 64),
    "overflow": image((), [tensor("a", (2**62, 2**62), 1, 0)], 64),
    "k_quants": image((), [tensor("a", (256,), 12, 0), tensor("b", (256,), 14, 160)], 384),
    "unknown_type": image((), [tensor("a", (256,), 10, 0)], 384),
}


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        (FOLDER / f"{name}.gguf").write_bytes(seed)


if __name__ == "__main__":
    main()
