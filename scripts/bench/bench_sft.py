#!/usr/bin/env python3
"""Steps of supervised fine-tuning: `accord sft` beside TRL's SFTTrainer, in turns.

Use:  python3 scripts/bench/bench_sft.py PROGRAM MODEL hh-rlhf.jsonl.gz [--examples 8]
          [--tokens 256] [--lengths natural|equal] [--steps 4] [--repeats 3] [--cases NAME...]

Run with a Python that has torch, transformers, trl and datasets. MODEL is a Hugging Face folder.
From the transcripts, the first conversations are taken that have at most TOKENS tokens (natural:
TRL pads them, or packs them without) or more and are cut to as many (equal: nothing is padded).
They are one batch, and every step sees all of it, so that order does not matter and both learn the
same: answers only. How it is trained and timed: trainer_turns.py.

Printed are the tokens that each counted, losses and gradient norms, which must agree (status 1
else), rates, and ratios within a turn: the median, then the range.

Made with: Python 3.11.7, torch 2.11.0, transformers 5.23.0, trl 1.16.0.
"""

import argparse
import functools
import json
import pathlib
import sys

from trainer_turns import (Tolerances, accord_turn, chat_ids, main_of, make_project, parser_of,
                           take_turns, train_by_trl, training_rows, trl_turn)

TOLERANCES = Tolerances(loss=0.01, norm=0.02)  # seen on 241 targets: 0.003 nats, and 0.004

OURS = {"accord": "false", "accord recompute": "true"}
PEERS = {
    "trl": {},
    "trl checkpointing": {"gradient_checkpointing": True},
    "trl padding-free": {"padding_free": True, "max_length": None},
    "trl compiled": {"torch_compile": True},
}
DEFAULT_CASES = ["accord", "trl", "trl padding-free", "accord recompute", "trl checkpointing"]


def encode(tokenizer, row: dict, tokens_max: int) -> dict:
    """Ids and labels of an exported row, by transformers; learnt is the answer with its end."""
    prompt = chat_ids(tokenizer, row["prompt"], add_generation_prompt=True)
    ids = chat_ids(tokenizer, row["prompt"] + row["chosen"])
    end = len(ids) - ids[::-1].index(tokenizer.eos_token_id)  # the template ends in a line end
    labels = [-100] * len(prompt) + ids[len(prompt):end] + [-100] * (len(ids) - end)
    return {"input_ids": ids[:tokens_max], "labels": labels[:tokens_max], "whole": len(ids),
            "prompt": len(prompt)}


def make_batch(args: argparse.Namespace, work: pathlib.Path) -> list[dict]:
    """Writes batch.db for accord and returns the same examples as transformers encodes them."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    taken, batch = [], []
    for line in training_rows(args.program, args.data, 100 * args.examples, work):
        example = encode(tokenizer, json.loads(line), args.tokens)
        fits = example["whole"] <= args.tokens
        if fits if args.lengths == "natural" else not fits and example["prompt"] < args.tokens // 2:
            taken.append(line)
            batch.append(example)
        if len(batch) == args.examples:
            break
    else:
        sys.exit(f"{args.data}: only {len(batch)} of {args.examples} conversations fit")
    (work / "batch.jsonl").write_text("".join(taken))
    make_project(args.program, work / "batch.jsonl", work / "batch.db")
    return batch


def peer(job: dict) -> None:
    """The process of a turn of TRL."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    batch = json.loads(pathlib.Path(job["batch"]).read_text())
    learnt = sum(label != -100 for row in batch for label in row["labels"])
    train_by_trl(job, SFTTrainer, SFTConfig, PEERS[job["case"]],
                 AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32),
                 AutoTokenizer.from_pretrained(job["model"]), batch, {"learnt": learnt})


def measure(args: argparse.Namespace, work: pathlib.Path) -> int:
    batch = make_batch(args, work)
    (work / "batch.json").write_text(json.dumps(
        [{key: example[key] for key in ("input_ids", "labels")} for example in batch]))
    lengths = [len(example["input_ids"]) for example in batch]
    print(f"{len(batch)} conversations of {min(lengths)} to {max(lengths)} tokens, {sum(lengths)}"
          f" in all, {max(lengths) * len(batch)} when padded; {args.threads} threads", flush=True)

    def turn_of(case: str):
        if case not in OURS:
            return functools.partial(trl_turn, args, __file__, case, work)
        command = ["sft", "-m", args.model, "-d", str(work / "batch.db")]
        settings = {"data.too_long": "cut", "recompute": OURS[case]}
        counted = {"tokens": "num_tokens", "learnt": "target_tokens"}
        return functools.partial(accord_turn, args, command, settings, counted, work)

    fine = take_turns({case: turn_of(case) for case in args.cases}, args.repeats, TOLERANCES)
    return 0 if fine else 1


def main() -> int:
    parser = parser_of(__doc__, [*OURS, *PEERS], DEFAULT_CASES)
    parser.add_argument("--lengths", choices=["natural", "equal"], default="natural")
    return main_of(parser, measure, peer)


if __name__ == "__main__":
    sys.exit(main())
