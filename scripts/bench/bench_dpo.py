#!/usr/bin/env python3
"""Steps of direct preference optimisation: `accord align --method dpo` beside TRL's DPOTrainer.

Use:  python3 scripts/bench/bench_dpo.py PROGRAM MODEL hh-rlhf.jsonl.gz [--examples 8]
          [--tokens 256] [--steps 4] [--repeats 3] [--dtype bf16|f32] [--cases NAME...]

Run with a Python that has torch, transformers, trl and datasets. MODEL is a Hugging Face folder.
From the transcripts, the first pairs are taken that have at most TOKENS tokens a side, one of each
prompt. They are one batch, and every step sees all of it, so that order does not matter. Both sides
learn from the same tokens (transformers' own, counted by each): an answer with the token that ends
it. accord measures the reference once, before the first step, and so does TRL in the cases
"precomputed"; else TRL reads it in every step. How it is trained and timed: trainer_turns.py.

Printed are losses and gradient norms, which must agree (status 1 else), rates, and ratios within a
turn: the median, then the range.

Made with: Python 3.11.7, torch 2.11.0, transformers 5.23.0, trl 1.16.0.
"""

import argparse
import functools
import json
import pathlib
import sys

from trainer_turns import (Tolerances, accord_turn, chat_ids, main_of, make_project, parser_of,
                           take_turns, train_by_trl, training_rows, trl_turn)

TOLERANCES = {  # seen: 0.008 nats and 0.8 % on 8 pairs in bf16; 1e-4 on 4 pairs in f32
    "bf16": Tolerances(loss=0.02, norm=0.02),
    "f32": Tolerances(loss=1e-4, norm=1e-3),
}

OURS = {"accord": "false", "accord recompute": "true"}
PEERS = {
    "trl": {},
    "trl checkpointing": {"gradient_checkpointing": True},
    "trl precomputed": {"precompute_ref_log_probs": True},
    "trl precomputed checkpointing": {"precompute_ref_log_probs": True,
                                      "gradient_checkpointing": True},
}
DEFAULT_CASES = ["accord", "trl", "accord recompute", "trl checkpointing"]

SIDES = ("chosen", "rejected")


def encode(tokenizer, row: dict) -> dict:
    """Ids of prompt and answers; an answer ends with its end, behind which templates write more."""
    prompt = chat_ids(tokenizer, row["prompt"], add_generation_prompt=True)
    pair = {"prompt_ids": prompt}
    for side in SIDES:
        ids = chat_ids(tokenizer, row["prompt"] + row[side])
        end = len(ids) - ids[::-1].index(tokenizer.eos_token_id)
        pair[f"{side}_ids"] = ids[len(prompt):end]
    return pair


def longest(pair: dict) -> int:
    return len(pair["prompt_ids"]) + max(len(pair[f"{side}_ids"]) for side in SIDES)


def make_batch(args: argparse.Namespace, work: pathlib.Path) -> list[dict]:
    """Writes batch.db for accord and returns the same pairs as transformers encodes them."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    prompts, taken, batch = set(), [], []
    for line in training_rows(args.program, args.data, 100 * args.examples, work):
        row = json.loads(line)
        pair = encode(tokenizer, row)
        prompt = json.dumps(row["prompt"])
        if prompt not in prompts and row["chosen"] != row["rejected"] and (
                longest(pair) < args.tokens):
            prompts.add(prompt)
            taken.append(line)
            batch.append(pair)
        if len(batch) == args.examples:
            break
    else:
        sys.exit(f"{args.data}: only {len(batch)} of {args.examples} pairs fit")
    (work / "batch.jsonl").write_text("".join(taken))
    make_project(args.program, work / "batch.jsonl", work / "batch.db")
    (work / "batch.json").write_text(json.dumps(batch))
    return batch


def peer(job: dict) -> None:
    """The process of a turn of TRL."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    class TrainerOfTokens(DPOTrainer):
        def _prepare_dataset(self, dataset, *_args):  # it knows texts only
            return dataset

    options = {**PEERS[job["case"]], "bf16": job["dtype"] == "bf16"}
    train_by_trl(job, TrainerOfTokens, DPOConfig, options,
                 AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32),
                 AutoTokenizer.from_pretrained(job["model"]),
                 json.loads(pathlib.Path(job["batch"]).read_text()), {})


def measure(args: argparse.Namespace, work: pathlib.Path) -> int:
    batch = make_batch(args, work)
    lengths = [len(pair["prompt_ids"]) + len(pair[f"{side}_ids"])
               for pair in batch for side in SIDES]
    print(f"{len(batch)} pairs of {min(lengths)} to {max(lengths)} tokens a side, {sum(lengths)} in"
          f" all, {max(lengths) * len(lengths)} when padded; {args.threads} threads", flush=True)

    def turn_of(case: str):
        if case not in OURS:
            return functools.partial(trl_turn, args, __file__, case, work, dtype=args.dtype)
        command = ["align", str(work / "batch.db"), "-m", args.model, "--method", "dpo"]
        settings = {"recompute": OURS[case], "run.dtype": args.dtype}
        return functools.partial(accord_turn, args, command, settings, {"tokens": "num_tokens"},
                                 work)

    fine = take_turns({case: turn_of(case) for case in args.cases}, args.repeats,
                      TOLERANCES[args.dtype])
    return 0 if fine else 1


def main() -> int:
    parser = parser_of(__doc__, [*OURS, *PEERS], DEFAULT_CASES)
    parser.add_argument("--dtype", choices=list(TOLERANCES), default="bf16")
    return main_of(parser, measure, peer)


if __name__ == "__main__":
    sys.exit(main())
