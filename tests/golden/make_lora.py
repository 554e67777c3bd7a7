"""Adapters written by PEFT, and what merging them gives: goldens for policy/lora_adapter.h.

    python tests/golden/make_lora.py          (torch 2.11.0, transformers 5.23.0, peft as printed)

For each case a folder as PEFT saves it, and merged.safetensors: the update scale * B A of every
adapted weight, [out, in], by the module's name, and with SEQ_CLS score.weight. Seeds are fixed; the
numbers are random and small.
"""

import json
import shutil
from pathlib import Path

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent / "lora"

SIZES = dict(
    vocab_size=32, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True,
)
LLAMA = transformers.LlamaConfig(**SIZES)
LLAMA_SCORE = transformers.LlamaConfig(**SIZES, num_labels=1, pad_token_id=0)
GPT2 = transformers.GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=4, n_positions=32)

CASES = {
    "llama": (LLAMA, dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"])),
    "llama_patterns": (
        LLAMA,
        dict(r=2, lora_alpha=4, use_rslora=True, target_modules=["k_proj", "up_proj"],
             rank_pattern={"k_proj": 3}, alpha_pattern={"layers.1.mlp.up_proj": 16}),
    ),
    "gpt2": (
        GPT2,
        dict(r=4, lora_alpha=4, fan_in_fan_out=True, target_modules=["c_attn", "mlp.c_proj"]),
    ),
    "llama_score": (
        LLAMA_SCORE,
        dict(task_type="SEQ_CLS", r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"]),
    ),
}


def base_of(config, options):
    if options.get("task_type") == "SEQ_CLS":
        return transformers.AutoModelForSequenceClassification.from_config(config)
    return transformers.AutoModelForCausalLM.from_config(config)


def main() -> None:
    shutil.rmtree(HERE, ignore_errors=True)
    for number, (name, (config, options)) in enumerate(CASES.items()):
        torch.manual_seed(number)
        base = base_of(config, options)
        model = get_peft_model(base, LoraConfig(**{"task_type": "CAUSAL_LM", **options}))
        for key, parameter in model.named_parameters():
            if "lora_" in key or "modules_to_save" in key:
                torch.nn.init.normal_(parameter, std=0.5)
        folder = HERE / name
        model.save_pretrained(folder)
        (folder / "README.md").unlink()
        updates = {}
        for key, module in model.base_model.model.named_modules():
            if hasattr(module, "get_delta_weight"):
                delta = module.get_delta_weight("default")
                updates[key] = (delta.T if options.get("fan_in_fan_out") else delta).contiguous()
        if hasattr(base, "score"):
            updates["score.weight"] = base.score.modules_to_save["default"].weight.detach()
        save_file(updates, folder / "merged.safetensors")
    versions = {m.__name__: m.__version__ for m in (torch, transformers, peft)}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")
    print(versions)


if __name__ == "__main__":
    main()
