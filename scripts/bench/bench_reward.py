#!/usr/bin/env python3
"""Reward models: `accord reward fit` beside TRL's RewardTrainer, and scores beside transformers.

Use:  python3 scripts/bench/bench_reward.py PROGRAM MODEL hh-rlhf.jsonl.gz [--examples 8]
          [--tokens 256] [--steps 4] [--repeats 3] [--cases NAME...] [--scored 64]

Run with a Python that has torch, transformers, trl and datasets. MODEL is a Hugging Face folder.
From the transcripts, the first pairs are taken that have at most TOKENS tokens a side, one of each
prompt. EXAMPLES are one batch, and every step sees all of it. Both sides learn from the same tokens
(transformers' own, counted by each) with a head that starts at zero, so the first loss is ln 2.
Both read the score at the last token: TRL is given a PAD that no text has, since transformers reads
it at the last token that is not PAD. The norm of the first gradient, that of the head alone, shows
which token it was: one token earlier gives another. How it is trained and timed: trainer_turns.py.

Then SCORED pairs are scored by the model that accord saved, a turn being a process of each side in
bf16 and f32, loads apart: `accord reward score`, as it logs itself, texts being read and tokenised;
and AutoModelForSequenceClassification, warmed up, in padded batches of 8, longest first.

Printed are losses and gradient norms, and how far the scores in f32 are apart, which must agree
(status 1 else), rates, and ratios within a turn: the median, then the range.

Made with: Python 3.11.7, torch 2.11.0, transformers 5.23.0, trl 1.16.0.
"""

import argparse
import dataclasses
import functools
import json
import pathlib
import re
import statistics
import sys
import time

from trainer_turns import (Tolerances, accord_turn, chat_ids, main_of, make_project, middle,
                           parser_of, run, run_peer, take_turns, train_by_trl, training_rows,
                           trl_turn)

TOLERANCES = Tolerances(loss=0.01, norm=0.02)  # seen on 8 pairs, 2 steps: 0.0001 nats, and 0.008
SCORE_TOLERANCE = 2e-5  # of the scores' deviation, in f32

OURS = {"accord": "false", "accord recompute": "true"}
PEERS = {"trl": {}, "trl checkpointing": {"gradient_checkpointing": True}}
DEFAULT_CASES = ["accord", "trl", "accord recompute", "trl checkpointing"]

SIDES = ("chosen", "rejected")
DTYPES = ("bf16", "f32")
BATCH = 8  # texts that transformers scores at once


# --- pairs -------------------------------------------------------------------------------------


def take_pairs(args: argparse.Namespace, work: pathlib.Path) -> tuple[list[str], list[dict]]:
    """Lines of pairs, of which accord makes its projects, and their ids by transformers."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    wanted = max(args.examples, args.scored)
    prompts, lines, pairs = set(), [], []
    for line in training_rows(args.program, args.data, 100 * wanted, work):
        row = json.loads(line)
        pair = {f"{side}_ids": chat_ids(tokenizer, row["prompt"] + row[side]) for side in SIDES}
        is_new = json.dumps(row["prompt"]) not in prompts and row["chosen"] != row["rejected"]
        if is_new and max(map(len, pair.values())) <= args.tokens:
            prompts.add(json.dumps(row["prompt"]))
            lines.append(line)
            pairs.append(pair)
        if len(pairs) == wanted:
            return lines, pairs
    sys.exit(f"{args.data}: only {len(pairs)} of {wanted} pairs fit")


def texts_of(pairs: list[dict]) -> list[list[int]]:
    return [pair[f"{side}_ids"] for pair in pairs for side in SIDES]


def make_pairs(args: argparse.Namespace, lines: list[str], name: str, work: pathlib.Path) -> str:
    (work / f"{name}.jsonl").write_text("".join(lines))
    make_project(args.program, work / f"{name}.jsonl", work / f"{name}.db")
    return str(work / f"{name}.db")


def describe(what: str, texts: list[list[int]], batch: int) -> str:
    """With the tokens of padded batches, longest first."""
    lengths = sorted(map(len, texts), reverse=True)
    padded = sum(batch * length for length in lengths[::batch])
    return (f"{what} of {lengths[-1]} to {lengths[0]} tokens, {sum(lengths)} in all, {padded} when"
            f" padded")


# --- TRL and transformers ----------------------------------------------------------------------


def unused_special(tokenizer, texts: list[list[int]]) -> int:
    used = set().union(*texts)
    special = [id for id, token in tokenizer.added_tokens_decoder.items() if token.special]
    for id in sorted(special):
        if id not in used:
            return id
    sys.exit("every special token is in some text, so that none can be PAD")


def train_peer(job: dict) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    batch = json.loads(pathlib.Path(job["batch"]).read_text())
    tokenizer = AutoTokenizer.from_pretrained(job["model"])
    pad = unused_special(tokenizer, texts_of(batch))
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(pad)
    model = AutoModelForSequenceClassification.from_pretrained(
        job["model"], num_labels=1, pad_token_id=pad, dtype=torch.float32)
    torch.nn.init.zeros_(model.score.weight)
    train_by_trl(job, RewardTrainer, RewardConfig, PEERS[job["case"]], model, tokenizer, batch,
                 {})


def score_peer(job: dict) -> None:
    """Seconds, scores, and how many texts end in PAD, so that they are read at another token."""
    import torch
    from transformers import AutoModelForSequenceClassification

    texts = json.loads(pathlib.Path(job["texts"]).read_text())
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[job["dtype"]]
    model = AutoModelForSequenceClassification.from_pretrained(job["model"], dtype=dtype).eval()
    pad = model.config.pad_token_id
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    batches = [order[begin:begin + BATCH] for begin in range(0, len(order), BATCH)]
    scores = [0.0] * len(texts)

    def score(batch: list[int]) -> None:
        width = len(texts[batch[0]])
        ids = torch.tensor([texts[i] + [pad] * (width - len(texts[i])) for i in batch])
        mask = torch.tensor([[k < len(texts[i]) for k in range(width)] for i in batch]).long()
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        for i, value in zip(batch, logits[:, 0].tolist()):
            scores[i] = value

    with torch.inference_mode():
        score(batches[0])
        start = time.perf_counter()
        for batch in batches:
            score(batch)
        seconds = time.perf_counter() - start
    pathlib.Path(job["result"]).write_text(json.dumps({
        "seconds": seconds, "scores": scores, "early": sum(text[-1] == pad for text in texts)}))


def peer(job: dict) -> None:
    if "dtype" in job:
        score_peer(job)
    else:
        train_peer(job)


# --- scores ------------------------------------------------------------------------------------


@dataclasses.dataclass
class Scored:
    """By one side in one type, over all turns."""

    rates: list[float] = dataclasses.field(default_factory=list)  # answers/s
    memory: float = 0.0  # MiB
    scores: list[float] = dataclasses.field(default_factory=list)  # the same in each turn

    def add(self, rate: float, memory: float, scores: list[float]) -> None:
        self.rates.append(rate)
        self.memory = max(self.memory, memory)
        self.scores = scores


def score_by_accord(args: argparse.Namespace, project: str, dtype: str,
                    work: pathlib.Path) -> tuple[float, float, list[float]]:
    """Answers a second as it logs them, MiB, and scores in the order of the texts."""
    output, log = work / "scores.jsonl", work / "score.log"
    memory = run([args.program, "reward", "score", project, "-r", f"lm:{work / 'model'}", "-o",
                  str(output), "-j", str(args.threads), "-s", f"run.dtype={dtype}"], log)
    rate = float(re.search(r"score: \d+ answers in .*\(([\d.]+) answers/s\)", log.read_text())[1])
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    output.unlink()
    rows.sort(key=lambda row: (row["comparison_id"], row["rank"]))  # chosen, then rejected
    return rate, memory, [row["reward"] for row in rows]


def show_rates(scored: dict[tuple[str, str], Scored]) -> None:
    for (side, dtype), by in scored.items():
        ratios = [ours / rate for ours, rate in zip(scored["accord", dtype].rates, by.rates)]
        print(f"{side} {dtype}".ljust(18), f"{middle(by.rates, 1)} answers/s, {by.memory:.0f} MiB;"
              f" accord {dtype} is {middle(ratios, 2)} times as fast")


def show_scores(scored: dict[tuple[str, str], Scored]) -> bool:
    """Whether both score alike in f32."""
    exact = scored["transformers", "f32"].scores
    deviation = statistics.stdev(exact)
    off = {key: max(abs(a - b) for a, b in zip(by.scores, exact)) for key, by in scored.items()}
    fine = off["accord", "f32"] <= SCORE_TOLERANCE * deviation
    print(f"scores {min(exact):.4f} to {max(exact):.4f}, deviation {deviation:.4f}; largest"
          f" difference from transformers in f32: accord {off['accord', 'f32']:.1e} in f32,"
          f" {off['accord', 'bf16']:.1e} in bf16; transformers"
          f" {off['transformers', 'bf16']:.1e} in bf16{'' if fine else '  DIFFERS'}")
    return fine


def measure_scores(args: argparse.Namespace, lines: list[str], pairs: list[dict],
                   work: pathlib.Path) -> bool:
    texts = texts_of(pairs)
    project = make_pairs(args, lines, "scored", work)
    (work / "texts.json").write_text(json.dumps(texts))
    job = {"model": str(work / "model"), "texts": str(work / "texts.json"),
           "threads": args.threads}
    scored = {(side, dtype): Scored() for dtype in DTYPES for side in ("accord", "transformers")}
    print(describe(f"{len(texts)} answers", texts, BATCH), flush=True)
    for _ in range(args.repeats):
        for dtype in DTYPES:
            scored["accord", dtype].add(*score_by_accord(args, project, dtype, work))
            result, memory = run_peer(__file__, {**job, "dtype": dtype}, work)
            rate = len(texts) / result["seconds"]
            scored["transformers", dtype].add(rate, memory, result["scores"])
    show_rates(scored)
    if result["early"] > 0:
        print(f"transformers reads {result['early']} texts at another token: they end in PAD")
    return show_scores(scored)


# --- both --------------------------------------------------------------------------------------


def measure(args: argparse.Namespace, work: pathlib.Path) -> int:
    if args.scored > 0 and not set(args.cases) & set(OURS):
        sys.exit("no case saves a model that could score: give --scored 0")
    lines, pairs = take_pairs(args, work)
    batch = pairs[:args.examples]
    project = make_pairs(args, lines[:args.examples], "batch", work)
    (work / "batch.json").write_text(json.dumps(batch))
    print(f"{describe(f'{len(batch)} pairs', texts_of(batch), 2 * len(batch))}; {args.threads}"
          f" threads", flush=True)

    def turn_of(case: str):
        if case not in OURS:
            return functools.partial(trl_turn, args, __file__, case, work)
        command = ["reward", "fit", project, "--trunk", args.model]
        settings = {"score_init_std": 0, "calibrate": "false", "keep_best": "false",
                    "recompute": OURS[case]}
        return functools.partial(accord_turn, args, command, settings, {"tokens": "num_tokens"},
                                 work, work / "model")

    fine = take_turns({case: turn_of(case) for case in args.cases}, args.repeats, TOLERANCES)
    if args.scored > 0:
        fine &= measure_scores(args, lines[:args.scored], pairs[:args.scored], work)
    return 0 if fine else 1


def main() -> int:
    parser = parser_of(__doc__, [*OURS, *PEERS], DEFAULT_CASES)
    parser.add_argument("--scored", type=int, default=64, help="pairs that are scored; 0: none")
    return main_of(parser, measure, peer)


if __name__ == "__main__":
    sys.exit(main())
