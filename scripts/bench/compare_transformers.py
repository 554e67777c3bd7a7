#!/usr/bin/env python3
"""Greedy answers and their log-probabilities: accord against transformers, from the same model.

Use:  python3 scripts/bench/compare_transformers.py MODEL PROGRAM [--prompts N]

MODEL is a GGUF file or a Hugging Face folder, such as final/ of a run of `accord sft`. Needs torch,
transformers and gguf (docs/RESULTS.md names the versions). Both compute in f32. A line for each
prompt: whether the prompt has as many tokens, whether the text is the same, how many tokens it has,
the sum of their log-probabilities by accord, and by how much that of transformers differs. The exit
status is 1 if a prompt or text differs, or the sums by more than 2e-5 nats a token.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = [
    "What is the capital of France?", "Write a haiku about autumn.",
    "Explain photosynthesis to a child.", "List three uses of copper.", "Why is the sky blue?",
    "Translate 'good morning' into Spanish.", "What should I cook for dinner tonight?",
    "Give me a short story about a fox.", "How do I sort a list in Python?",
    "Is it better to rent or to buy a home?",
]
NEW_TOKENS = 256
LOGP_TOLERANCE = 2e-5  # nats a token, in f32


def answer_of_transformers(model, tokenizer, prompt):
    """Text, tokens of the prompt, tokens and summed log-probability of the answer."""
    turns = [{"role": "user", "content": prompt}]
    ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt")
    ids = ids if torch.is_tensor(ids) else ids["input_ids"]
    with torch.no_grad():
        whole = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                               max_new_tokens=NEW_TOKENS)
        logp = model(whole).logits[0, :-1].log_softmax(-1)
    count = ids.shape[1]
    own = logp[count - 1:].gather(1, whole[0, count:, None]).double().sum().item()
    text = tokenizer.decode(whole[0, count:], skip_special_tokens=True)
    return text, count, whole.shape[1] - count, own


def answer_of_accord(program, path, prompt):
    command = [program, "generate", path, prompt, "-n", str(NEW_TOKENS), "--set", "run.dtype=f32",
               "--json", "--quiet"]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    return answer["text"], answer["prompt_tokens"], answer["tokens"], answer["model_logp_nats"]


def load(path, dtype):
    """Tokenizer and model of a folder or a GGUF file."""
    path = pathlib.Path(path).resolve()
    folder, options = (path, {}) if path.is_dir() else (path.parent, {"gguf_file": path.name})
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **options)
    return tokenizer, model.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("program")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    options = parser.parse_args()
    tokenizer, model = load(options.model, torch.float32)
    status = 0
    for prompt in PROMPTS[:options.prompts]:
        theirs = answer_of_transformers(model, tokenizer, prompt)
        ours = answer_of_accord(options.program, options.model, prompt)
        error = ours[3] - theirs[3]
        print(f"prompt tokens {'equal' if ours[1] == theirs[1] else 'DIFFER'}, text "
              f"{'equal' if ours[0] == theirs[0] else 'DIFFERS'}, {ours[2]} tokens, "
              f"log-probability {ours[3]:.5f}, {error:+.1e} nats: {prompt}", flush=True)
        if ours[:3] != theirs[:3] or abs(error) > LOGP_TOLERANCE * ours[2]:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
