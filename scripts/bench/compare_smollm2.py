#!/usr/bin/env python3
"""Greedy answers and their log-probabilities: accord against transformers, from the same GGUF file.

    python3 scripts/bench/compare_smollm2.py MODEL.gguf PROGRAM [--prompts N]

Needs torch, transformers and gguf (docs/RESULTS.md names the versions). Both compute in f32. A
line for each prompt: whether the prompt has as many tokens, whether the text is the same, how many
tokens it has, and by how much the sums of their log-probabilities differ.
"""

import argparse
import json
import os
import subprocess

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("program")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    options = parser.parse_args()
    folder, name = os.path.split(os.path.abspath(options.model))
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval()
    for prompt in PROMPTS[:options.prompts]:
        theirs = answer_of_transformers(model, tokenizer, prompt)
        ours = answer_of_accord(options.program, options.model, prompt)
        print(f"prompt tokens {'equal' if ours[1] == theirs[1] else 'DIFFER'}, text "
              f"{'equal' if ours[0] == theirs[0] else 'DIFFERS'}, {ours[2]} tokens, "
              f"log-probability {ours[3] - theirs[3]:+.1e} nats: {prompt}", flush=True)


if __name__ == "__main__":
    main()
