#!/usr/bin/env python3
"""Preferences as JSON lines, of realistic lengths and with every text new, to time `accord import`.

Use:  python3 scripts/bench/make_preferences.py --layout hh|trl (--rows N | --bytes N) [--seed S]
          [--output FILE]

    hh   chosen and rejected: whole transcripts, which differ in the last answer. Turns and their
         lengths are drawn as in the 2312 rows of hh-rlhf's harmless-base test: 2, 4, 6 or 8 turns
         mostly, lengths lognormal with mean 120 and median 69 characters; 1.4 KB a row.
    trl  prompt, chosen and rejected as lists of messages, as UltraFeedback has them; 4.8 KB a row.

Words are made of syllables and drawn by Zipf's law. A turn is a piece of a long text, taken from a
place drawn at random, so that two are almost never the same; prompts carry the number of their row
and are never. One character in about 170 is not ASCII, one in 60 is escaped, as in hh-rlhf.

The same options give the same bytes with any Python from 3.11 on.
"""

import argparse
import itertools
import json
import random
import sys
from collections.abc import Callable

POOL_CHARACTERS = 8_000_000
VOCABULARY = 20_000
VOWELS = ("a", "e", "i", "o", "u", "ai")
SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvwz" for vowel in VOWELS]
SYLLABLES_OF_A_WORD = (1, 1, 2, 2, 3)

# Turns of a transcript and how many of hh-rlhf's have so many.
TURNS = {2: 662, 4: 580, 6: 591, 8: 354, 10: 68, 12: 19, 14: 16, 16: 7, 18: 4}


class Texts:
    """Pieces of one long text."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        words = [
            "".join(rng.choices(SYLLABLES, k=rng.choice(SYLLABLES_OF_A_WORD)))
            for _ in range(VOCABULARY)
        ]
        weights = list(itertools.accumulate(1.0 / (rank + 2) for rank in range(VOCABULARY)))
        pieces, size = [], 0
        while size < POOL_CHARACTERS:
            drawn = rng.choices(words, cum_weights=weights, k=rng.randint(4, 24))
            sentence = " ".join(drawn).capitalize()
            sentence = sentence.replace("ai", "\u00e6", 1) if rng.random() < 0.2 else sentence
            sentence += rng.choice((". ", ". ", ", ", "? ", ".\n", ", \u201cand\u201d "))
            pieces.append(sentence)
            size += len(sentence)
        self.pool = "".join(pieces)

    def take(self, length: float) -> str:
        count = max(1, int(length))
        at = int(self.rng.random() * (len(self.pool) - count))
        return self.pool[at : at + count].strip() or "Yes."


def row_hh(texts: Texts, number: int) -> dict:
    rng = texts.rng
    count = rng.choices(list(TURNS), weights=TURNS.values())[0]
    turns = [texts.take(rng.lognormvariate(4.234, 1.05)) for _ in range(count + 1)]
    turns[0] = f"{number}: {turns[0]}"
    shared = "".join(
        f"\n\n{'Assistant' if i % 2 else 'Human'}: {turn}"
        for i, turn in enumerate(turns[: count - 1])
    )
    if turns[-1] == turns[-2]:
        turns[-1] += "!"
    return {
        "chosen": f"{shared}\n\nAssistant: {turns[-2]}",
        "rejected": f"{shared}\n\nAssistant: {turns[-1]}",
    }


def row_trl(texts: Texts, number: int) -> dict:
    rng = texts.rng
    prompt = f"{number}: {texts.take(rng.lognormvariate(5.9, 0.9))}"
    chosen, rejected = (texts.take(rng.lognormvariate(7.35, 0.7)) for _ in range(2))
    rejected += "!" if chosen == rejected else ""
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
    }


LAYOUTS: dict[str, Callable[[Texts, int], dict]] = {"hh": row_hh, "trl": row_trl}


def write(file, layout: str, seed: int, rows: int | None, size: int | None) -> tuple[int, int]:
    """Until there are `rows` rows or at least `size` bytes; how many there are of both."""
    texts = Texts(random.Random(seed))
    make = LAYOUTS[layout]
    number, written = 0, 0
    while (rows is None or number < rows) and (size is None or written < size):
        number += 1
        line = json.dumps(make(texts, number), ensure_ascii=False).encode() + b"\n"
        file.write(line)
        written += len(line)
    return number, written


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layout", choices=LAYOUTS, default="hh")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--bytes", type=float, help="such as 300e6")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", default="-")
    args = parser.parse_args()
    if args.rows is None and args.bytes is None:
        parser.error("how much: --rows or --bytes")
    if args.output == "-":
        write(sys.stdout.buffer, args.layout, args.seed, args.rows, args.bytes)
        return 0
    with open(args.output, "wb") as file:
        rows, size = write(file, args.layout, args.seed, args.rows, args.bytes)
    print(f"{args.output}: {rows} rows, {size} bytes, {size / max(rows, 1):.0f} a row")
    return 0


if __name__ == "__main__":
    sys.exit(main())
