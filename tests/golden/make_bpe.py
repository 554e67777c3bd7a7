#!/usr/bin/env python3
"""Writes tests/golden/bpe: what BpeTrainer of the tokenizers library makes of a text of our own.

text.txt      made-up words by a Zipf law, numbers, runs of one character, letters of several
              scripts, composed and decomposed
trained.jsonl {"pattern", "vocabulary", "min_frequency", "tokens", "merges"}; tokens by id

Made with: Python 3.11.7, tokenizers 0.23.3; seed 7.
Run with:  python3 -m pip install tokenizers==0.23.3 && python3 tests/golden/make_bpe.py
"""

import json
import pathlib
import random

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

FOLDER = pathlib.Path(__file__).parent / "bpe"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
         r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CASES = [("gpt2", 600, 2), ("gpt2", 5000, 0), ("gpt2", 5000, 40), ("smollm2", 600, 2),
         ("llama3", 600, 2), ("qwen2", 600, 2)]


def made_up_text(seed):
    rng = random.Random(seed)
    syllables = [c + v for c in "bdklmnrst" for v in "aeiou"]
    syllables += ["é", "e\u0301", "ß", "日", "本", "тра"]
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(400)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    parts = []
    for word in rng.choices(words, weights, k=4000):
        style = rng.random()
        if style < 0.05:
            word = str(rng.randint(0, 10 ** rng.randint(1, 6)))
        elif style < 0.08:
            word = rng.choice("=-a!é") * rng.randint(2, 30)
        elif style < 0.12:
            word = word.capitalize() + rng.choice([".", "'s", ",", "'ll", "?!"])
        parts.append(word + rng.choice([" "] * 12 + ["  ", "\n", "\n\n", "\t", " \r\n", "\u00a0"]))
    return "".join(parts)


def splitter(pattern):
    by_gpt2 = pattern in ("gpt2", "smollm2")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=by_gpt2)
    if pattern == "gpt2":
        return byte_level
    if pattern == "smollm2":
        first = pre_tokenizers.Digits(individual_digits=True)
    else:
        digits = "{1,3}" if pattern == "llama3" else ""
        first = pre_tokenizers.Split(Regex(WORDS % digits), "isolated")
    return pre_tokenizers.Sequence([first, byte_level])


def train(text, pattern, vocabulary, min_frequency):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = splitter(pattern)
    if pattern == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=vocabulary, min_frequency=min_frequency, show_progress=False,
        special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return {"pattern": pattern, "vocabulary": vocabulary, "min_frequency": min_frequency,
            "tokens": tokens, "merges": merges}


def main():
    FOLDER.mkdir(exist_ok=True)
    text = made_up_text(7)
    (FOLDER / "text.txt").write_bytes(text.encode())
    rows = [train(text, *case) for case in CASES]
    with open(FOLDER / "trained.jsonl", "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row) + "\n")
            print(row["pattern"], len(row["tokens"]), len(row["merges"]))


if __name__ == "__main__":
    main()
