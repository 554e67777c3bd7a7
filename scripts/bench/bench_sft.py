#!/usr/bin/env python3
"""Steps of supervised fine-tuning: `accord sft` beside TRL's SFTTrainer, in turns.

Use:  python3 scripts/bench/bench_sft.py PROGRAM MODEL hh-rlhf.jsonl.gz [--examples 8]
          [--tokens 256] [--lengths natural|equal] [--steps 4] [--repeats 3] [--cases NAME...]

Run with a Python that has torch, transformers, trl and datasets. MODEL is a Hugging Face folder.
From the transcripts, the first conversations are taken that have at most TOKENS tokens (natural:
TRL pads them, or packs them without) or more and are cut to as many (equal: nothing is padded).
They are one batch, and every step sees all of it, so that order does not matter and both learn the
same: answers only, constant learning rate, AdamW, clipping at 1, f32 weights, products in bf16.

A turn runs each case as a process: one step to warm up, then STEPS, from the end of a step to that
of the next. Memory is the largest resident size of the whole process (ours saves a model and a
checkpoint in the end). Printed are the tokens that each counted, losses and gradient norms, which
must agree (status 1 else), rates, and ratios within a turn: the median, then the range.

Made with: Python 3.11.7, torch 2.11.0, transformers 5.23.0, trl 1.16.0.
"""

import argparse
import dataclasses
import gzip
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

LEARNING_RATE = 2e-5
# bf16 keeps 8 bits; seen on 241 targets: 0.003 nats, and 0.004 of the norm.
LOSS_TOLERANCE = 0.01  # nats
NORM_TOLERANCE = 0.02  # of the norm

OURS = {"accord": "recompute=false", "accord recompute": "recompute=true"}
PEERS = {
    "trl": {},
    "trl checkpointing": {"gradient_checkpointing": True},
    "trl padding-free": {"padding_free": True, "max_length": None},
    "trl compiled": {"torch_compile": True},
}
DEFAULT_CASES = ["accord", "trl", "trl padding-free", "accord recompute", "trl checkpointing"]


@dataclasses.dataclass
class Turn:
    """One process: the steps behind the one that warmed up, and what was counted in each."""

    seconds: list[float]
    losses: list[float]
    norms: list[float]
    tokens: int
    targets: int
    memory: float = 0.0  # MiB

    @property
    def rate(self) -> float:
        return self.tokens / statistics.median(self.seconds)


def run(command: list[str], log: pathlib.Path) -> float:
    """Largest resident size in MiB of a process that must succeed."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {process.returncode}\n{log.read_text()[-3000:]}")
    return used.ru_maxrss / 1024


def differences(times: list[float]) -> list[float]:
    return [end - begin for begin, end in zip(times, times[1:])]


# --- the batch ---------------------------------------------------------------------------------


def encode(tokenizer, row: dict, tokens_max: int) -> dict:
    """Ids and labels of an exported row, by transformers; learnt is the answer with its end."""

    def ids_of(messages, **options):
        text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    prompt = ids_of(row["prompt"], add_generation_prompt=True)
    ids = ids_of(row["prompt"] + row["chosen"])
    end = len(ids) - ids[::-1].index(tokenizer.eos_token_id)  # the template ends in a line end
    labels = [-100] * len(prompt) + ids[len(prompt):end] + [-100] * (len(ids) - end)
    return {"input_ids": ids[:tokens_max], "labels": labels[:tokens_max], "whole": len(ids),
            "prompt": len(prompt)}


def project_of(program: str, rows: str, path: pathlib.Path) -> None:
    for command in ([program, "init", str(path)], [program, "import", str(path), rows]):
        run(command + ["--quiet"], path.with_suffix(".log"))


def make_batch(args: argparse.Namespace, work: pathlib.Path) -> list[dict]:
    """Writes batch.db for accord and returns the same examples as transformers encodes them.

    Rows go through a first project, whose training split is exported: so that of the second one
    nothing is kept for evaluation.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    opened = gzip.open if args.data.endswith(".gz") else open
    with opened(args.data, "rt", encoding="utf-8") as file:
        lines = file.readlines()[:100 * args.examples]
    (work / "some.jsonl").write_text("".join(lines))
    project_of(args.program, str(work / "some.jsonl"), work / "some.db")
    run([args.program, "export", str(work / "some.db"), "--split", "train", "--kind", "pairs", "-o",
         str(work / "train.jsonl")], work / "export.log")
    taken, batch = [], []
    for line in (work / "train.jsonl").read_text().splitlines():
        example = encode(tokenizer, json.loads(line), args.tokens)
        fits = example["whole"] <= args.tokens
        if fits if args.lengths == "natural" else not fits and example["prompt"] < args.tokens // 2:
            taken.append(line + "\n")
            batch.append(example)
        if len(batch) == args.examples:
            break
    else:
        sys.exit(f"{args.data}: only {len(batch)} of {args.examples} conversations fit")
    (work / "batch.jsonl").write_text("".join(taken))
    project_of(args.program, str(work / "batch.jsonl"), work / "batch.db")
    return batch


# --- the two sides -----------------------------------------------------------------------------


def run_accord(args: argparse.Namespace, setting: str, work: pathlib.Path) -> Turn:
    with tempfile.TemporaryDirectory(dir=work) as folder:
        output = pathlib.Path(folder) / "run"
        settings = {
            "data.sequence_tokens_max": args.tokens, "data.too_long": "cut",
            "examples_per_step": args.examples, "run.dtype": "bf16", "log_every": 1,
            "optimiser.learning_rate": LEARNING_RATE, "optimiser.schedule": "constant",
            "eval_every": 10**6, "checkpoint_every": 10**6,
        }
        command = [args.program, "sft", "-m", args.model, "-d", str(work / "batch.db"), "-o",
                   str(output), "--epochs", str(args.steps + 1), "-j", str(args.threads)]
        for key, value in settings.items():
            command += ["-s", f"{key}={value}"]
        memory = run(command + ["-s", setting], work / "accord.log")
        rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return Turn(
        seconds=differences([row["time"] for row in rows]),
        losses=[row["loss"] for row in rows],
        norms=[row["grad_norm"] for row in rows],
        tokens=rows[0]["num_tokens"],
        targets=rows[0]["target_tokens"],
        memory=memory,
    )


def run_peer(args: argparse.Namespace, case: str, work: pathlib.Path) -> Turn:
    job = {"case": case, "model": args.model, "batch": str(work / "batch.json"),
           "steps": args.steps, "threads": args.threads, "result": str(work / "result.json")}
    memory = run([sys.executable, __file__, "--peer", json.dumps(job)], work / "trl.log")
    result = json.loads((work / "result.json").read_text())
    return Turn(**result, memory=memory)


def peer(job: dict) -> None:
    """The process of a turn of TRL."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(job["threads"])
    batch = json.loads(pathlib.Path(job["batch"]).read_text())
    times = []

    class Watch(TrainerCallback):
        def on_step_end(self, *_args, **_options):
            times.append(time.perf_counter())

    options = {
        "use_cpu": True, "bf16": True, "gradient_checkpointing": False, "max_length": 1 << 20,
        "per_device_train_batch_size": len(batch), "max_steps": job["steps"] + 1,
        "learning_rate": LEARNING_RATE, "lr_scheduler_type": "constant", "max_grad_norm": 1.0,
        "weight_decay": 0.0, "logging_steps": 1, "disable_tqdm": True, "save_strategy": "no",
        "report_to": [], "output_dir": str(pathlib.Path(job["result"]).parent / "trl"),
    }
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32),
        args=SFTConfig(**{**options, **PEERS[job["case"]]}),
        train_dataset=Dataset.from_list(batch),
        processing_class=AutoTokenizer.from_pretrained(job["model"]),
        callbacks=[Watch()],
    )
    trainer.train()
    rows = [row for row in trainer.state.log_history if "loss" in row]
    pathlib.Path(job["result"]).write_text(json.dumps({
        "seconds": differences(times),
        "losses": [row["loss"] for row in rows],
        "norms": [row["grad_norm"] for row in rows],
        "tokens": int(rows[0]["num_tokens"]),
        "targets": sum(label != -100 for row in batch for label in row["labels"]),
    }))


# --- what came out -----------------------------------------------------------------------------


def agrees(ours: Turn, theirs: Turn) -> bool:
    """The same tokens and targets, and the same learning within the rounding of bf16."""
    return ((ours.tokens, ours.targets) == (theirs.tokens, theirs.targets)
            and all(abs(a - b) <= LOSS_TOLERANCE for a, b in zip(ours.losses, theirs.losses))
            and all(abs(a / b - 1) <= NORM_TOLERANCE for a, b in zip(ours.norms, theirs.norms)))


def middle(values: list[float], digits: int) -> str:
    return (f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to"
            f" {max(values):.{digits}f})")


def show(case: str, turns: list[Turn], base_case: str, base: list[Turn]) -> None:
    seconds = [second for turn in turns for second in turn.seconds]
    ratios = [ours.rate / turn.rate for ours, turn in zip(base, turns)]
    print(f"{case:18} {middle([turn.rate for turn in turns], 0)} tokens/s,"
          f" {middle(seconds, 2)} s/step, {max(turn.memory for turn in turns):.0f} MiB;"
          f" {base_case} is {middle(ratios, 2)} times as fast")


def show_learning(case: str, turn: Turn, base: Turn) -> bool:
    fine = agrees(base, turn)
    print(f"{case:18} {turn.tokens:.0f} tokens, {turn.targets:.0f} learnt; loss"
          f" {' '.join(f'{loss:.4f}' for loss in turn.losses)}; gradient norm"
          f" {' '.join(f'{norm:.3f}' for norm in turn.norms)}{'' if fine else '  DIFFERS'}",
          flush=True)
    return fine


def measure(args: argparse.Namespace, work: pathlib.Path) -> int:
    batch = make_batch(args, work)
    (work / "batch.json").write_text(json.dumps(
        [{key: example[key] for key in ("input_ids", "labels")} for example in batch]))
    lengths = [len(example["input_ids"]) for example in batch]
    print(f"{len(batch)} conversations of {min(lengths)} to {max(lengths)} tokens, {sum(lengths)}"
          f" in all, {max(lengths) * len(batch)} when padded; {args.threads} threads", flush=True)
    turns: dict[str, list[Turn]] = {case: [] for case in args.cases}
    base = turns[args.cases[0]]
    fine = True
    for _ in range(args.repeats):
        for case, done in turns.items():
            done.append(run_accord(args, OURS[case], work) if case in OURS
                        else run_peer(args, case, work))
            fine &= show_learning(case, done[-1], base[0])
    for case, done in turns.items():
        show(case, done, args.cases[0], base)
    return 0 if fine else 1


def main() -> int:
    if sys.argv[1:2] == ["--peer"]:
        peer(json.loads(sys.argv[2]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("data", help="transcripts in the layout of hh-rlhf")
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--lengths", choices=["natural", "equal"], default="natural")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cases", nargs="+", default=DEFAULT_CASES, choices=[*OURS, *PEERS],
                        help="ratios are to the first")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    with tempfile.TemporaryDirectory() as work:
        return measure(args, pathlib.Path(work))


if __name__ == "__main__":
    sys.exit(main())
