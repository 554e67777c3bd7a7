#!/usr/bin/env python3
"""Makes tests/golden/gguf/ with llama.cpp's Python package.

    python3 tests/golden/make_gguf.py

Made with gguf 0.19.0, numpy 2.4, safetensors 0.8.0 (with torch 2.11.0 for bf16), seed 1.
  types.gguf     two rows of 256 values of every type that is read, and as "<name>.expected" what
                 gguf.quants.dequantize makes of them. Blocks are random bytes but for their f16
                 scales, which are finite; the first scale of each is subnormal, the second zero.
  <model>.gguf   models of tests/golden/models as llama.cpp's convert_hf_to_gguf.py lays them out:
                 its names, q and k permuted where the architecture is llama, 1-d tensors in F32
"""
import json
import pathlib
import shutil

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "gguf"
QUANTS = [  # name, bytes of a block, places of its f16 scales
    ("Q8_0", [0]), ("Q4_0", [0]), ("Q4_1", [0, 2]), ("Q5_0", [0]), ("Q5_1", [0, 2]),
    ("Q4_K", [0, 2]), ("Q6_K", [208]),
]
ROWS, COLUMNS = 2, 256


def random_blocks(rng, kind, places):
    values, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (ROWS * COLUMNS // values, size), dtype=np.uint8)
    for place in places:
        scales = rng.normal(0, 0.01, len(blocks)).astype(np.float16)
        scales[0] = np.float16(3e-7)
        scales[1] = 0
        blocks[:, place:place + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(ROWS, -1)


def make_types():
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(FOLDER / "types.gguf", "none")
    floats = rng.normal(0, 1, (ROWS, COLUMNS)).astype(np.float32)
    floats[0, :4] = [0.0, -0.0, 1e-42, 3e38]
    writer.add_tensor("F32", floats)
    writer.add_tensor("F32.expected", floats)
    half = floats.clip(-60000, 60000).astype(np.float16)
    writer.add_tensor("F16", half)
    writer.add_tensor("F16.expected", half.astype(np.float32))
    brain = gguf.quants.quantize(floats, gguf.GGMLQuantizationType.BF16)
    writer.add_tensor("BF16", brain, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.add_tensor("BF16.expected",
                      gguf.quants.dequantize(brain, gguf.GGMLQuantizationType.BF16))
    for name, places in QUANTS:
        kind = gguf.GGMLQuantizationType[name]
        blocks = random_blocks(rng, kind, places)
        writer.add_tensor(name, blocks, raw_dtype=kind)
        writer.add_tensor(name + ".expected", gguf.quants.dequantize(blocks, kind))
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def permute(weight, heads):
    """LlamaModel.permute of convert_hf_to_gguf.py."""
    shape = weight.shape
    pairs = weight.reshape(heads, 2, shape[0] // heads // 2, *shape[1:])
    return pairs.swapaxes(1, 2).reshape(shape)


def rope_factors(config):
    """LlamaModel.generate_extra_tensors, for llama3 scaling."""
    rope = config["rope_parameters"]
    context = rope["original_max_position_embeddings"]
    dim = config["head_dim"]
    freqs = 1.0 / rope["rope_theta"] ** (np.arange(0, dim, 2, dtype=np.float32) / dim)
    low = context / rope["low_freq_factor"]
    high = context / rope["high_freq_factor"]
    factors = []
    for wavelength in 2 * np.pi / freqs:
        if wavelength < high:
            factors.append(1.0)
        elif wavelength > low:
            factors.append(rope["factor"])
        else:
            smooth = ((context / wavelength - rope["low_freq_factor"]) /
                      (rope["high_freq_factor"] - rope["low_freq_factor"]))
            factors.append(1.0 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def add_sizes(writer, arch, config):
    get = config.get
    hidden = get("hidden_size", get("n_embd"))
    heads = get("num_attention_heads", get("n_head"))
    writer.add_block_count(get("num_hidden_layers", get("n_layer")))
    writer.add_context_length(get("max_position_embeddings", get("n_positions")))
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(get("intermediate_size", get("n_inner")) or 4 * hidden)
    writer.add_head_count(heads)
    if arch == "gpt2":
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
        return
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    head_dim = get("head_dim") or hidden // heads
    writer.add_rope_dimension_count(head_dim)
    if head_dim != hidden // heads:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if config["rope_parameters"]["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config["rope_parameters"]["factor"])
    writer.add_vocab_size(config["vocab_size"])


def add_tokens(writer):
    """A byte-level vocabulary of 32 tokens, in the spelling of GPT-2."""
    tokens = ["<|end|>", "<|user|>", *"abcdefgh", "Ġ", "Ċ", "ab", "Ġa", "abc", "cd", "<|extra|>"]
    tokens += [f"[PAD{i}]" for i in range(len(tokens), 32)]
    types = [3, 3] + [1] * 14 + [4] + [5] * (32 - 17)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["a b", "Ġ a", "ab c", "c d"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_chat_template("{{ messages[0]['content'] }}")


def add_weight(writer, name, tensor):
    if tensor.dim() == 1:
        writer.add_tensor(name, tensor.float().numpy())
    elif tensor.dtype == torch.bfloat16:
        raw = tensor.contiguous().view(torch.uint8).numpy()
        writer.add_tensor(name, raw, raw_dtype=gguf.GGMLQuantizationType.BF16)
    else:
        writer.add_tensor(name, tensor.contiguous().numpy())


def make_model(model, arch):
    config = json.loads((HERE / "models" / model / "config.json").read_text())
    state = load_file(HERE / "models" / model / "model.safetensors")
    writer = gguf.GGUFWriter(FOLDER / f"{model}.gguf", arch)
    writer.add_name(model)
    add_sizes(writer, arch, config)
    if model == "llama3":
        add_tokens(writer)
        writer.add_tensor("rope_freqs.weight", rope_factors(config))
    kind = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
    names = gguf.get_tensor_name_map(kind, config.get("num_hidden_layers", config.get("n_layer")))
    heads = config.get("num_attention_heads", config.get("n_head"))
    for key, tensor in state.items():
        if arch == "llama" and ("q_proj" in key or "k_proj" in key):
            tensor = permute(tensor, heads if "q_proj" in key else config["num_key_value_heads"])
        if arch == "gpt2" and key.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            tensor = tensor.T
        add_weight(writer, names.get_name(key, try_suffixes=(".weight", ".bias")), tensor)
    finish(writer)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    make_types()
    for model, arch in [("gpt2", "gpt2"), ("llama_tied_bias", "llama"), ("llama3", "llama"),
                        ("mistral", "llama"), ("qwen2", "qwen2"),
                        ("qwen3", "qwen3")]:
        make_model(model, arch)


if __name__ == "__main__":
    main()
