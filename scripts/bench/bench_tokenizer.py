#!/usr/bin/env python3
"""Encoding and decoding beside the tokenizers library: MB of text a second of processor time.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers==0.23.3
    ninja -C build/release tokenize_texts
    /tmp/venv/bin/python scripts/bench/bench_tokenizer.py build/release/bin/tokenize_texts TEXT \\
        TOKENIZER...

TOKENIZER is a tokenizer.json or its folder. Both sides run on one thread, in turns, and the best of
five is taken. The library gets the text in pieces of 100,000 characters: in one piece it is slower.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

from tokenizers import Tokenizer  # noqa: E402

REPEATS = 5


def library(path, text):
    path = Path(path)
    start = time.process_time()
    tok = Tokenizer.from_file(str(path / "tokenizer.json" if path.is_dir() else path))
    load = time.process_time() - start
    pieces = [text[i:i + 100_000] for i in range(0, len(text), 100_000)]
    best = 1e30
    for _ in range(REPEATS):
        start = time.process_time()
        encoded = [tok.encode(piece, add_special_tokens=False) for piece in pieces]
        best = min(best, time.process_time() - start)
    ids = [e.ids for e in encoded]
    start = time.process_time()
    for piece in ids:
        tok.decode(piece, skip_special_tokens=False)
    decode = time.process_time() - start
    size = len(text.encode())
    return {"load_s": load, "encode_mb_s": size / best / 1e6, "decode_mb_s": size / decode / 1e6}


def main():
    program, text_path, *tokenizers = sys.argv[1:]
    text = Path(text_path).read_bytes().decode()
    for path in tokenizers:
        theirs = library(path, text)
        ours = json.loads(subprocess.run([program, "time", path, text_path], check=True,
                                         capture_output=True).stdout)
        print(path)
        for key in ("load_s", "encode_mb_s", "decode_mb_s"):
            ratio = ours[key] / theirs[key] if key != "load_s" else theirs[key] / ours[key]
            print(f"  {key:12} accord {ours[key]:8.3f}  library {theirs[key]:8.3f}  "
                  f"times {ratio:.1f}")


main()
