#!/usr/bin/env python3
"""Scores of a reward model: accord against transformers and PEFT, from the files that accord saves.

Use:  python3 scripts/bench/compare_scores.py MODEL SCORE_TOKENS [--pad ID] [--random]

MODEL is a Hugging Face folder of a language model, SCORE_TOKENS the program of that name
(tests/bench). It puts a random head on the model, and in a second run random adapters too, saves
both and scores some conversations, or random tokens, in f32; transformers, and PEFT on the base,
load what was saved and score the same tokens in one padded batch. A line for each way: the largest
difference, and the spread of the scores. Status 1 where a difference passes 2e-5 of the spread.
docs/RESULTS.md names the versions.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

ANSWERS = [
    ("What is the capital of France?", "Paris."),
    ("What is the capital of France?", "I do not know, but a map of Europe would tell you."),
    ("Why is the sky blue?", "Air scatters short waves of light more than long ones."),
    ("Why is the sky blue?", "Because it is."),
    ("List three uses of copper.", "Wires, pipes and coins. " * 12),
    ("Translate 'good morning' into Spanish.", "Buenos días"),
]
TOLERANCE = 2e-5  # of the spread of the scores, in f32


def token_ids(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = []
    for question, answer in ANSWERS:
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        encoded = tokenizer.apply_chat_template(turns)
        ids.append(list(encoded if isinstance(encoded, list) else encoded["input_ids"]))
    return ids


def random_ids(folder):
    """For models without a tokenizer; ids from 4 on are no special tokens of the golden ones."""
    vocab = AutoConfig.from_pretrained(folder).vocab_size
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(4, vocab, (n,), generator=generator).tolist() for n in (5, 9, 2, 1, 17)]


def load(way, base, folder, pad):
    if way == "all":
        return AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    model = AutoModelForSequenceClassification.from_pretrained(
        base, dtype=torch.float32, num_labels=1, pad_token_id=pad)
    return PeftModel.from_pretrained(model, folder)


def scores_of(model, texts, pad):
    width = max(map(len, texts))
    ids = torch.tensor([text + [pad] * (width - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in texts])
    with torch.no_grad():
        return model.eval()(input_ids=ids, attention_mask=mask).logits[:, 0]


def compare(way, options, texts, folder):
    listed = folder / "texts.json"
    listed.write_text(json.dumps(texts))
    out = folder / way
    command = [options.program, options.model, out, way, str(options.pad), "1", listed]
    printed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    ours = torch.tensor([float(line) for line in printed.split()])
    theirs = scores_of(load(way, options.model, out, options.pad), texts, options.pad)
    off = (ours - theirs).abs().max().item()
    spread = theirs.std().item()
    print(f"{way}: {len(texts)} texts, largest difference {off:.1e}, spread {spread:.3f}")
    return off <= TOLERANCE * spread


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("program")
    parser.add_argument("--pad", type=int, default=0)
    parser.add_argument("--random", action="store_true", help="texts of random tokens")
    options = parser.parse_args()
    texts = random_ids(options.model) if options.random else token_ids(options.model)
    with tempfile.TemporaryDirectory() as name:
        equal = [compare(way, options, texts, pathlib.Path(name)) for way in ("all", "lora")]
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
