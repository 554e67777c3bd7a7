#!/usr/bin/env python3
"""Greedy decoding, and loading: `accord generate` beside transformers' generate, in turns.

Use:  python3 scripts/bench/bench_generate.py PROGRAM MODEL novel.txt [--gguf FILE]
          [--batches 1 16 64] [--prompt-tokens 32] [--new-tokens 64] [--repeats 5]

Run with a Python that has torch, transformers and gguf. MODEL is a Hugging Face folder. Prompts are
pieces of the novel of equally many tokens, so that nothing is padded, and are continued as plain
text. Both compute in bf16. Timed is from prompts in memory to the last token, reading of prompts
included, loads apart: for accord what it logs itself, a new process each time; transformers stays
loaded and warmed up, with its dynamic and its static cache. Each answer has all its tokens, or the
comparison ends. How many texts are the same is printed: few long ones are, since transformers
rounds logits to bf16, in steps of 0.06 and more there, and ours are f32 (where both compute in f32,
all are: compare_transformers.py).

Loading: whole processes from start to exit that load MODEL or the GGUF file and make one token, and
of that the loading alone (accord: all but the token; transformers: tokenizer and from_pretrained,
without imports). Printed are medians and ranges of rates, and of ratios within a turn.

Made with: Python 3.11.7, torch 2.11.0, transformers 5.23.0, gguf 0.19.0.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import torch
from compare_transformers import load

CACHES = ["dynamic", "static"]


def middle(values: list[float], digits: int) -> str:
    return (f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to"
            f" {max(values):.{digits}f})")


# --- decoding ----------------------------------------------------------------------------------


class Peer:
    """transformers, with the model in memory."""

    def __init__(self, path: str, new_tokens: int) -> None:
        self.tokenizer, self.model = load(path, torch.bfloat16)
        self.new_tokens = new_tokens

    def prompts(self, text: str, count: int, tokens: int) -> list[str]:
        """Pieces of the text, from some way behind its title, that have `tokens` tokens each."""
        ids = self.tokenizer(text[len(text) // 10:], add_special_tokens=False)["input_ids"]
        found = []
        for begin in range(0, len(ids) - tokens, tokens):
            piece = self.tokenizer.decode(ids[begin:begin + tokens])
            if len(self.tokenizer(piece, add_special_tokens=False)["input_ids"]) == tokens:
                found.append(piece)
            if len(found) == count:
                return found
        sys.exit(f"the text has {len(found)} of {count} prompts of {tokens} tokens")

    def answer(self, prompts: list[str], cache: str) -> tuple[float, list[str]]:
        """Seconds, and the texts."""
        batch = self.tokenizer(prompts, add_special_tokens=False, return_tensors="pt")
        start = time.perf_counter()
        ids = self.model.generate(input_ids=batch["input_ids"], do_sample=False,
                                  attention_mask=batch["attention_mask"],
                                  min_new_tokens=self.new_tokens, max_new_tokens=self.new_tokens,
                                  cache_implementation=cache)
        seconds = time.perf_counter() - start
        new = ids[:, batch["input_ids"].shape[1]:]
        return seconds, self.tokenizer.batch_decode(new, skip_special_tokens=True)


def answer_of_accord(args: argparse.Namespace, file: str, slots: int) -> tuple[float, list[str]]:
    command = [args.program, "generate", args.model, "--prompts", file, "--template", "none", "-n",
               str(args.new_tokens), "--slots", str(slots), "-j", str(args.threads), "-s",
               "run.dtype=bf16", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answers = sorted(json.loads(done.stdout), key=lambda answer: answer["prompt"])
    for answer in answers:
        if (answer["prompt_tokens"], answer["tokens"]) != (args.prompt_tokens, args.new_tokens):
            sys.exit(f"accord: {answer['prompt_tokens']} and {answer['tokens']} tokens, expected"
                     f" {args.prompt_tokens} and {args.new_tokens}")
    rate = float(re.search(r"generate: \d+ tokens in .* s: ([\d.]+) tokens/s", done.stderr)[1])
    return slots * args.new_tokens / rate, [answer["text"] for answer in answers]


def compare_decoding(args: argparse.Namespace, work: pathlib.Path) -> None:
    peer = Peer(args.model, args.new_tokens)
    text = pathlib.Path(args.text).read_text(encoding="utf-8")
    pieces = peer.prompts(text, max(args.batches), args.prompt_tokens)
    for count in args.batches:
        prompts = pieces[:count]
        file = work / "prompts.jsonl"
        file.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
        seconds: dict[str, list[float]] = {name: [] for name in ["accord", *CACHES]}
        for cache in CACHES:
            peer.answer(prompts, cache)
        for _ in range(args.repeats):
            taken, ours = answer_of_accord(args, str(file), count)
            seconds["accord"].append(taken)
            for cache in CACHES:
                taken, theirs = peer.answer(prompts, cache)
                seconds[cache].append(taken)
        same = sum(a == b for a, b in zip(ours, theirs))
        print(f"batch {count}: {args.prompt_tokens} + {args.new_tokens} tokens each, {same} of"
              f" {count} texts the same")
        for name, values in seconds.items():
            ratios = [other / own for own, other in zip(seconds["accord"], values)]
            rates = [count * args.new_tokens / value for value in values]
            print(f"  {name:8} {middle(rates, 1)} tokens/s; accord is {middle(ratios, 2)} times as"
                  f" fast", flush=True)


# --- loading -----------------------------------------------------------------------------------


def load_by_accord(args: argparse.Namespace, path: str) -> tuple[float, float]:
    """Seconds of the process, and of loading."""
    start = time.perf_counter()
    done = subprocess.run([args.program, "generate", path, "Once", "-n", "1", "--template", "none",
                           "-s", "run.dtype=bf16", "-j", str(args.threads), "--json"],
                          check=True, capture_output=True, text=True)
    whole = time.perf_counter() - start
    rate = float(re.search(r"generate: 1 tokens in .* s: ([\d.]+) tokens/s", done.stderr)[1])
    return whole, whole - 1 / rate


def load_by_peer(path: str) -> tuple[float, float]:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--load", path], check=True,
                          capture_output=True, text=True)
    return time.perf_counter() - start, float(done.stdout.split()[-1])


def peer_load(path: str) -> None:
    """The process that load_by_peer times."""
    start = time.perf_counter()
    tokenizer, model = load(path, torch.bfloat16)
    seconds = time.perf_counter() - start
    model.generate(**tokenizer("Once", return_tensors="pt"), do_sample=False, max_new_tokens=1)
    print(seconds)


def compare_loading(args: argparse.Namespace, path: str) -> None:
    turns = [(load_by_accord(args, path), load_by_peer(path)) for _ in range(args.repeats)]
    print(f"load {path}")
    for number, what in enumerate(["process", "loading"]):
        ours, theirs = ([turn[side][number] for turn in turns] for side in range(2))
        ratios = [other / own for own, other in zip(ours, theirs)]
        print(f"  {what:8} accord {middle(ours, 2)} s, transformers {middle(theirs, 2)} s; accord"
              f" is {middle(ratios, 1)} times as fast", flush=True)


def main() -> int:
    if sys.argv[1:2] == ["--load"]:
        peer_load(sys.argv[2])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("model", help="a Hugging Face folder")
    parser.add_argument("text")
    parser.add_argument("--gguf", help="the model as a GGUF file, to be loaded too")
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 16, 64])
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # for the processes that load
    torch.set_num_threads(args.threads)
    print(f"{args.threads} threads, {args.repeats} repeats")
    for path in filter(None, [args.model, args.gguf]):
        compare_loading(args, path)
    if args.batches:
        with tempfile.TemporaryDirectory() as work:
            compare_decoding(args, pathlib.Path(work))
    return 0


if __name__ == "__main__":
    sys.exit(main())
