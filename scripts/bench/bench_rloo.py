#!/usr/bin/env python3
"""Steps of RLOO: `accord align --method rloo` beside TRL's RLOOTrainer.

Use:  python3 scripts/bench/bench_rloo.py PROGRAM MODEL hh-rlhf.jsonl.gz [--examples 4]
          [--samples 4] [--new-tokens 64] [--tokens 192] [--steps 3] [--repeats 2] [--cases NAME...]

Run with a Python that has torch, transformers, trl and datasets. MODEL is a Hugging Face folder.
The first prompts of the transcripts that leave room for an answer are one batch, and every step
answers all of it: SAMPLES answers each, at temperature 1, of at most NEW_TOKENS tokens. The reward
is a hundredth of the answer's characters; the distance to the start, at 0.05, is subtracted. The
two draw different answers, so only times and sizes can be compared; how long answers were is
printed beside them. How it is trained and timed: trainer_turns.py.

Made with: Python 3.11.7, torch 2.11.0, transformers 5.23.0, trl 1.16.0.
"""

import argparse
import json
import pathlib
import statistics
import sys

from trainer_turns import (LEARNING_RATE, chat_ids, differences, main_of, make_project, middle,
                           parser_of, run, run_peer, training_rows)

OURS = {"accord": "false", "accord recompute": "true"}
PEERS = {"trl": False, "trl checkpointing": True}
BETA = 0.05


def make_batch(args: argparse.Namespace, work: pathlib.Path) -> None:
    """Writes batch.db for accord and the same prompts for TRL, as messages."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    prompts: dict[str, str] = {}
    for line in training_rows(args.program, args.data, 100 * args.examples, work):
        prompt = json.loads(line)["prompt"]
        ids = chat_ids(tokenizer, prompt, add_generation_prompt=True)
        if len(ids) + args.new_tokens <= args.tokens and len(prompts) < args.examples:
            prompts.setdefault(json.dumps(prompt), line)
    if len(prompts) < args.examples:
        sys.exit(f"{args.data}: only {len(prompts)} of {args.examples} prompts fit")
    (work / "batch.jsonl").write_text("".join(prompts.values()))
    make_project(args.program, work / "batch.jsonl", work / "batch.db")
    (work / "batch.json").write_text(json.dumps([json.loads(prompt) for prompt in prompts]))


def accord_turn(args: argparse.Namespace, case: str, work: pathlib.Path) -> dict:
    output = work / f"run-{len(list(work.glob('run-*')))}"
    settings = {
        "data.sequence_tokens_max": args.tokens, "examples_per_step": args.examples,
        "rollout.samples": args.samples, "rollout.new_tokens_max": args.new_tokens,
        "steps_max": args.steps + 1, "run.dtype": "bf16", "recompute": OURS[case],
        "regulariser.kind": "kl", "regulariser.beta_in": BETA, "watch.prompts": 0,
        "optimiser.learning_rate": LEARNING_RATE, "optimiser.schedule": "constant",
        "log_every": 1, "eval_every": 10**6, "checkpoint_every": 10**6,
    }
    command = [args.program, "align", str(work / "batch.db"), "-m", args.model, "-o", str(output),
               "-r", "0.01*length", "-j", str(args.threads)]
    for key, value in settings.items():
        command += ["-s", f"{key}={value}"]
    memory = run(command, work / "accord.log")
    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return {"seconds": differences([row["time"] for row in rows]), "memory": memory,
            "lengths": [row["completions/mean_length"] for row in rows]}


def trl_turn(args: argparse.Namespace, case: str, work: pathlib.Path) -> dict:
    job = {"case": case, "model": args.model, "batch": str(work / "batch.json"),
           "steps": args.steps, "threads": args.threads, "samples": args.samples,
           "new_tokens": args.new_tokens}
    result, memory = run_peer(__file__, job, work)
    return {**result, "memory": memory}


def peer(job: dict) -> None:
    """The process of a turn of TRL."""
    import time

    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import RLOOConfig, RLOOTrainer

    times = []

    class Watch(TrainerCallback):
        def on_step_end(self, *_args, **_options):
            times.append(time.perf_counter())

    def reward(completions, **_options):
        return [0.01 * len(completion[0]["content"]) for completion in completions]

    prompts = json.loads(pathlib.Path(job["batch"]).read_text())
    config = RLOOConfig(
        use_cpu=True, bf16=True, gradient_checkpointing=PEERS[job["case"]],
        per_device_train_batch_size=len(prompts) * job["samples"], max_steps=job["steps"] + 1,
        num_generations=job["samples"], max_completion_length=job["new_tokens"], beta=BETA,
        learning_rate=LEARNING_RATE, lr_scheduler_type="constant", max_grad_norm=1.0,
        logging_steps=1, disable_tqdm=True, save_strategy="no", report_to=[],
        output_dir=str(pathlib.Path(job["result"]).parent / "trl"))
    trainer = RLOOTrainer(
        model=AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32),
        reward_funcs=reward, args=config,
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
        processing_class=AutoTokenizer.from_pretrained(job["model"]), callbacks=[Watch()])
    trainer.train()
    rows = [row for row in trainer.state.log_history if "completions/mean_length" in row]
    pathlib.Path(job["result"]).write_text(json.dumps({
        "seconds": differences(times),
        "lengths": [row["completions/mean_length"] for row in rows],
    }))


def measure(args: argparse.Namespace, work: pathlib.Path) -> int:
    make_batch(args, work)
    turns: dict[str, list[dict]] = {case: [] for case in args.cases}
    for _ in range(args.repeats):
        for case, done in turns.items():
            done.append((accord_turn if case in OURS else trl_turn)(args, case, work))
            lengths = " ".join(f"{length:.0f}" for length in done[-1]["lengths"])
            seconds = " ".join(f"{second:.2f}" for second in done[-1]["seconds"])
            print(f"{case:18} {seconds} s; answers of {lengths} tokens", flush=True)
    base = turns[args.cases[0]]
    for case, done in turns.items():
        ratios = [statistics.median(turn["seconds"]) / statistics.median(ours["seconds"])
                  for ours, turn in zip(base, done)]
        seconds = [second for turn in done for second in turn["seconds"]]
        print(f"{case:18} {middle(seconds, 2)} s/step,"
              f" {max(turn['memory'] for turn in done):.0f} MiB; {args.cases[0]} is"
              f" {middle(ratios, 2)} times as fast")
    return 0


def main() -> int:
    parser = parser_of(__doc__, [*OURS, *PEERS], ["accord", "trl", "trl checkpointing"])
    parser.set_defaults(examples=4, tokens=192, steps=3, repeats=2)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--new-tokens", type=int, default=64)
    return main_of(parser, measure, peer)


if __name__ == "__main__":
    sys.exit(main())
