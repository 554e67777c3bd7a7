#!/usr/bin/env python3
"""Training in turns: accord beside a trainer of TRL, on one batch that every step sees.

Use:  from trainer_turns import ...; bench_{sft,reward,dpo}.py and bench_rloo.py say what is run.

A turn runs each case as a process: one step to warm up, then STEPS, from the end of a step to that
of the next. Memory is the largest resident size of the whole process (ours saves a model and a
checkpoint in the end). Both train by AdamW with a constant learning rate, gradients clipped at 1,
weights in f32 and products in bf16, and must count and learn the same.
"""

import argparse
import collections.abc
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


@dataclasses.dataclass
class Turn:
    """One process: the steps behind the one that warmed up, and what was counted in each."""

    seconds: list[float]
    losses: list[float]
    norms: list[float]
    counts: dict[str, int]
    memory: float = 0.0  # MiB

    @property
    def rate(self) -> float:
        return self.counts["tokens"] / statistics.median(self.seconds)


@dataclasses.dataclass
class Tolerances:
    """Of what two sides learn, for the rounding of bf16, which keeps 8 bits."""

    loss: float  # nats
    norm: float  # of the norm

    def hold(self, ours: Turn, theirs: Turn) -> bool:
        return (ours.counts == theirs.counts
                and all(abs(a - b) <= self.loss for a, b in zip(ours.losses, theirs.losses))
                and all(abs(a / b - 1) <= self.norm for a, b in zip(ours.norms, theirs.norms)))


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


# --- data --------------------------------------------------------------------------------------


def make_project(program: str, rows: pathlib.Path, path: pathlib.Path) -> None:
    for command in ([program, "init", str(path)], [program, "import", str(path), str(rows)]):
        run(command + ["--quiet"], path.with_suffix(".log"))


def training_rows(program: str, data: str, count: int, work: pathlib.Path) -> list[str]:
    """Lines of JSON, as accord exports them, of the prompts for training among the first `count`
    transcripts: of a project made of some nothing is kept for evaluation."""
    opened = gzip.open if data.endswith(".gz") else open
    with opened(data, "rt", encoding="utf-8") as file:
        lines = file.readlines()[:count]
    (work / "some.jsonl").write_text("".join(lines))
    make_project(program, work / "some.jsonl", work / "some.db")
    run([program, "export", str(work / "some.db"), "--split", "train", "--kind", "pairs", "-o",
         str(work / "train.jsonl")], work / "export.log")
    return (work / "train.jsonl").read_text().splitlines(keepends=True)


def chat_ids(tokenizer, messages: list[dict], **options) -> list[int]:
    """By transformers; the template writes all special tokens."""
    text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


# --- the two sides -----------------------------------------------------------------------------


def accord_turn(args: argparse.Namespace, command: list[str], settings: dict,
                counted: dict[str, str], work: pathlib.Path,
                kept: pathlib.Path | None = None) -> Turn:
    """A run of accord. `counted` gives the names of counts their keys in metrics.jsonl; the model
    goes to `kept`, once."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        output = pathlib.Path(folder) / "run"
        command = [args.program, *command, "-o", str(output), "--epochs", str(args.steps + 1),
                   "-j", str(args.threads)]
        common = {
            "data.sequence_tokens_max": args.tokens, "examples_per_step": args.examples,
            "run.dtype": "bf16", "log_every": 1, "optimiser.learning_rate": LEARNING_RATE,
            "optimiser.schedule": "constant", "eval_every": 10**6, "checkpoint_every": 10**6,
        }
        for key, value in {**common, **settings}.items():
            command += ["-s", f"{key}={value}"]
        memory = run(command, work / "accord.log")
        rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        if kept and not kept.exists():
            (output / "final").rename(kept)
    return Turn(
        seconds=differences([row["time"] for row in rows]),
        losses=[row["loss"] for row in rows],
        norms=[row["grad_norm"] for row in rows],
        counts={name: int(rows[0][key]) for name, key in counted.items()},
        memory=memory,
    )


def run_peer(script: str, job: dict, work: pathlib.Path) -> tuple[dict, float]:
    """What the `peer` of a script wrote to job["result"], and the largest resident size in MiB."""
    job = {**job, "result": str(work / "result.json")}
    memory = run([sys.executable, script, "--peer", json.dumps(job)], work / "peer.log")
    return json.loads((work / "result.json").read_text()), memory


def trl_turn(args: argparse.Namespace, script: str, case: str, work: pathlib.Path,
             **more: str) -> Turn:
    """A run of TRL on the rows of batch.json; `more` is for the script's own peer."""
    job = {"case": case, "model": args.model, "batch": str(work / "batch.json"),
           "steps": args.steps, "threads": args.threads, **more}
    result, memory = run_peer(script, job, work)
    return Turn(**result, memory=memory)


def train_by_trl(job: dict, trainer_class, config_class, options: dict, model, tokenizer,
                 batch: list[dict], counts: dict[str, int]) -> None:
    """In the process of the peer. Its tokens are counted by TRL, the rest as `counts` says."""
    from datasets import Dataset
    from transformers import TrainerCallback

    times = []

    class Watch(TrainerCallback):
        def on_step_end(self, *_args, **_options):
            times.append(time.perf_counter())

    common = {
        "use_cpu": True, "bf16": True, "gradient_checkpointing": False, "max_length": 1 << 20,
        "per_device_train_batch_size": len(batch), "max_steps": job["steps"] + 1,
        "learning_rate": LEARNING_RATE, "lr_scheduler_type": "constant", "max_grad_norm": 1.0,
        "weight_decay": 0.0, "logging_steps": 1, "disable_tqdm": True, "save_strategy": "no",
        "report_to": [], "output_dir": str(pathlib.Path(job["result"]).parent / "trl"),
    }
    trainer = trainer_class(model=model, args=config_class(**{**common, **options}),
                            train_dataset=Dataset.from_list(batch), processing_class=tokenizer,
                            callbacks=[Watch()])
    trainer.train()
    rows = [row for row in trainer.state.log_history if "loss" in row]
    pathlib.Path(job["result"]).write_text(json.dumps({
        "seconds": differences(times),
        "losses": [row["loss"] for row in rows],
        "norms": [row["grad_norm"] for row in rows],
        "counts": {"tokens": int(rows[0]["num_tokens"]), **counts},
    }))


# --- what came out -----------------------------------------------------------------------------


def middle(values: list[float], digits: int) -> str:
    return (f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to"
            f" {max(values):.{digits}f})")


def show(case: str, turns: list[Turn], base_case: str, base: list[Turn]) -> None:
    seconds = [second for turn in turns for second in turn.seconds]
    ratios = [ours.rate / turn.rate for ours, turn in zip(base, turns)]
    print(f"{case:18} {middle([turn.rate for turn in turns], 0)} tokens/s,"
          f" {middle(seconds, 2)} s/step, {max(turn.memory for turn in turns):.0f} MiB;"
          f" {base_case} is {middle(ratios, 2)} times as fast")


def show_learning(case: str, turn: Turn, fine: bool) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in turn.counts.items())
    print(f"{case:18} {counts}; loss"
          f" {' '.join(f'{loss:.4f}' for loss in turn.losses)}; gradient norm"
          f" {' '.join(f'{norm:.3f}' for norm in turn.norms)}{'' if fine else '  DIFFERS'}",
          flush=True)


def take_turns(cases: dict[str, collections.abc.Callable[[], Turn]], repeats: int,
               tolerances: Tolerances) -> bool:
    """Runs and shows all; whether each learnt what the first did."""
    turns: dict[str, list[Turn]] = {case: [] for case in cases}
    base_case, base = next(iter(turns.items()))
    all_fine = True
    for _ in range(repeats):
        for case, run_case in cases.items():
            turns[case].append(run_case())
            fine = tolerances.hold(base[0], turns[case][-1])
            show_learning(case, turns[case][-1], fine)
            all_fine &= fine
    for case, done in turns.items():
        show(case, done, base_case, base)
    return all_fine


# --- a benchmark's command line ----------------------------------------------------------------


def parser_of(doc: str, cases: list[str], default_cases: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("data", help="transcripts in the layout of hh-rlhf")
    parser.add_argument("--examples", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--cases", nargs="+", default=default_cases, choices=cases,
                        help="ratios are to the first")
    return parser


def main_of(parser: argparse.ArgumentParser, measure: collections.abc.Callable,
            peer: collections.abc.Callable[[dict], None]) -> int:
    if sys.argv[1:2] == ["--peer"]:
        import torch

        job = json.loads(sys.argv[2])
        torch.set_num_threads(job["threads"])
        peer(job)
        return 0
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    with tempfile.TemporaryDirectory() as work:
        return measure(args, pathlib.Path(work))
