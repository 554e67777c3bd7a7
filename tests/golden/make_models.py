#!/usr/bin/env python3
"""Makes tests/golden/models/: tiny models of every family with random weights, by transformers.

    python3 tests/golden/make_models.py

Made with transformers 5.23.0, torch 2.11.0, safetensors 0.8.0, Python 3.11; the seed of each model
is its place in CASES, from 1. Each folder holds what save_pretrained writes, and
  weights.txt         a line for every weight as accord names and turns it ([out, in], q, k and v
                      apart): name, rows, columns, SHA-256 of its values as little-endian f32
  logits.safetensors  input_ids, positions [T] i64; logits [T, V] f32; loss [] f32 (mean
                      cross-entropy of the next token); of a few weights the gradient of the loss,
                      under grad.<accord's name>; inv_freq where there is rope
  sharded             of several files with an index (max_shard_size 4 kB)
  gpt2_old            as old writers did: without "transformer.", with causal masks
  opt_head            with a second copy of the embedding as its tied head
Those that end in _score are ForSequenceClassification with one label; instead of logits there is
  scores.safetensors  input_ids [N] i64 of S texts end to end; lengths [S] i64; scores [S] f32, of
                      the texts in one batch padded on the right; weights [S] f32; loss [] f32,
                      the sum of scores times weights; gradients of it as above
Weights are stored in the dtype of the case; everything is computed from those values in f32,
attention by the plain formula ("eager").
"""
import copy
import hashlib
import pathlib
import shutil

import torch
import transformers
from safetensors.torch import load_file, save_file

FOLDER = pathlib.Path(__file__).parent / "models"
T = 16
SMALL = dict(vocab_size=32, num_hidden_layers=2, hidden_size=16, num_attention_heads=4,
             max_position_embeddings=24)
ROPED = dict(SMALL, intermediate_size=12, num_key_value_heads=2)
SCORE = dict(num_labels=1, pad_token_id=0)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)

# Name, class, dtype stored, keys of the configuration.
CASES = [
    ("gpt2", "GPT2", "float32", dict(vocab_size=32, n_embd=12, n_layer=2, n_head=3, n_positions=24,
                                     bos_token_id=3, eos_token_id=3)),
    ("gpt2_untied", "GPT2", "bfloat16", dict(
        vocab_size=32, n_embd=12, n_layer=1, n_head=2, n_positions=24, n_inner=20,
        activation_function="relu", tie_word_embeddings=False, bos_token_id=None,
        eos_token_id=None)),
    ("opt", "OPT", "float16", dict(SMALL, ffn_dim=28)),
    ("opt_bare", "OPT", "float32", dict(
        SMALL, num_hidden_layers=1, ffn_dim=12, enable_bias=False, activation_function="gelu",
        tie_word_embeddings=False)),
    ("llama", "Llama", "bfloat16", dict(ROPED, rms_norm_eps=1e-5)),
    ("llama_tied_bias", "Llama", "float32", dict(
        ROPED, num_hidden_layers=1, tie_word_embeddings=True, attention_bias=True, head_dim=6,
        bos_token_id=5, eos_token_id=[2, 7])),
    ("llama3", "Llama", "float32", dict(
        ROPED, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=16,
        max_position_embeddings=128, rope_parameters=dict(LLAMA3, rope_theta=500.0))),
    ("llama_linear", "Llama", "float16", dict(
        ROPED, num_hidden_layers=1,
        rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=10000.0))),
    ("mistral", "Mistral", "bfloat16", dict(
        ROPED, head_dim=6, sliding_window=None,
        rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
    ("qwen2", "Qwen2", "bfloat16", dict(ROPED, tie_word_embeddings=True)),
    ("qwen3", "Qwen3", "bfloat16", dict(ROPED, head_dim=10, pad_token_id=0)),
    ("sharded", "Qwen3", "bfloat16", dict(ROPED, head_dim=8, num_hidden_layers=1)),
    ("gpt2_old", "GPT2", "bfloat16", dict(vocab_size=32, n_embd=12, n_layer=1, n_head=3,
                                          n_positions=24, bos_token_id=3, eos_token_id=3)),
    ("opt_head", "OPT", "bfloat16", dict(SMALL, num_hidden_layers=1, ffn_dim=12)),
    ("gpt2_score", "GPT2", "float32", dict(
        vocab_size=32, n_embd=12, n_layer=1, n_head=3, n_positions=24, bos_token_id=3,
        eos_token_id=3, **SCORE)),
    ("opt_score", "OPT", "float16", dict(SMALL, num_hidden_layers=1, ffn_dim=12, num_labels=1)),
    ("llama_score", "Llama", "bfloat16", dict(ROPED, tie_word_embeddings=True, **SCORE)),
    ("mistral_score", "Mistral", "bfloat16", dict(ROPED, sliding_window=None, **SCORE)),
    ("qwen2_score", "Qwen2", "bfloat16", dict(ROPED, num_hidden_layers=1, **SCORE)),
    ("qwen3_score", "Qwen3", "float32", dict(ROPED, num_hidden_layers=1, head_dim=6, **SCORE)),
]

LAYOUTS = ["sharded", "gpt2_old", "opt_head"]  # other files, no other computation

GRADIENTS = ["position.weight", "layers.0.attn_norm.weight", "layers.0.attn.q.weight",
             "layers.0.attn.k.bias", "layers.0.attn.k_norm.weight", "layers.0.attn.v.weight",
             "layers.0.mlp.down.weight", "embed.weight"]
SCORE_GRADIENTS = ["layers.0.attn.q.weight", "layers.0.mlp.up.weight", "score.weight"]
SCORE_LENGTHS = [9, 4, 1, 6]

BODY = {
    "gpt2": "transformer.", "opt": "model.decoder.", "llama": "model.", "mistral": "model.",
    "qwen2": "model.", "qwen3": "model.",
}


def accord_tensors(model):
    """Every weight as accord names and turns it, written down independently of the C tables."""
    config = model.config
    state = dict(model.named_parameters())
    family = config.model_type
    body = BODY[family]
    out = {}

    def put(name, key, change=lambda w: w):
        if key in state:
            out[name] = change(state[key])

    def norm(name, key):
        put(name + ".weight", key + ".weight")
        put(name + ".bias", key + ".bias")

    def linear(name, key, change=lambda w: w):
        put(name + ".weight", key + ".weight", change)
        put(name + ".bias", key + ".bias")

    if family == "gpt2":
        width = config.n_embd
        put("embed.weight", body + "wte.weight")
        put("position.weight", body + "wpe.weight")
        for i in range(config.n_layer):
            old, new = f"{body}h.{i}.", f"layers.{i}."
            norm(new + "attn_norm", old + "ln_1")
            for p, part in enumerate("qkv"):
                rows = slice(p * width, (p + 1) * width)
                joined = old + "attn.c_attn"
                put(new + f"attn.{part}.weight", joined + ".weight", lambda w: w[:, rows].T)
                put(new + f"attn.{part}.bias", joined + ".bias", lambda w: w[rows])
            linear(new + "attn.out", old + "attn.c_proj", lambda w: w.T)
            norm(new + "mlp_norm", old + "ln_2")
            linear(new + "mlp.up", old + "mlp.c_fc", lambda w: w.T)
            linear(new + "mlp.down", old + "mlp.c_proj", lambda w: w.T)
        norm("final_norm", body + "ln_f")
    else:
        opt = family == "opt"
        put("embed.weight", body + "embed_tokens.weight")
        put("position.weight", body + "embed_positions.weight")
        for i in range(config.num_hidden_layers):
            old, new = f"{body}layers.{i}.", f"layers.{i}."
            norm(new + "attn_norm", old + ("self_attn_layer_norm" if opt else "input_layernorm"))
            for part in "qkv":
                linear(new + f"attn.{part}", old + f"self_attn.{part}_proj")
            norm(new + "attn.q_norm", old + "self_attn.q_norm")
            norm(new + "attn.k_norm", old + "self_attn.k_norm")
            linear(new + "attn.out", old + ("self_attn.out_proj" if opt else "self_attn.o_proj"))
            norm(new + "mlp_norm",
                 old + ("final_layer_norm" if opt else "post_attention_layernorm"))
            put(new + "mlp.gate.weight", old + "mlp.gate_proj.weight")
            linear(new + "mlp.up", old + ("fc1" if opt else "mlp.up_proj"))
            linear(new + "mlp.down", old + ("fc2" if opt else "mlp.down_proj"))
        norm("final_norm", body + ("final_layer_norm" if opt else "norm"))
    if not config.tie_word_embeddings:
        put("head.weight", "lm_head.weight")
    put("score.weight", "score.weight")
    return out


def norm_like(key):
    return key.endswith("weight") and ("norm" in key or "ln_" in key)


def class_of(name, family):
    if name.endswith("_score"):
        return family + "ForSequenceClassification"
    return family + ("LMHeadModel" if family == "GPT2" else "ForCausalLM")


def new_model(name, family, dtype, keys):
    config = getattr(transformers, family + "Config")(**keys)
    config._attn_implementation = "eager"
    model = getattr(transformers, class_of(name, family))(config).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            scale = 0.25 if weight.dim() == 2 else 0.1
            values = torch.randn(weight.shape) * scale + norm_like(key)
            weight.copy_(values.to(dtype).float())
    return model


def write_digests(model, path):
    lines = []
    for name, tensor in accord_tensors(model).items():
        values = tensor.detach().contiguous().numpy()
        rows, columns = (*values.shape, 1)[:2]
        lines.append(f"{name} {rows} {columns} {hashlib.sha256(values.tobytes()).hexdigest()}\n")
    path.write_text("".join(lines))


def take_gradients(model, keys):
    """Of those of the keys that the model has; its weights are gone then."""
    for weight in model.parameters():
        weight.data, weight.grad = weight.grad, None
    gradients = accord_tensors(model)
    return {"grad." + key: gradients[key].detach().contiguous() for key in keys
            if key in gradients}


def compute_scores(model):
    # No pad id in the texts: torch gives it no gradient, and the class looks for the last other id.
    first = model.config.pad_token_id + 1
    texts = [torch.randint(first, model.config.vocab_size, (n,)) for n in SCORE_LENGTHS]
    ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True,
                                          padding_value=model.config.pad_token_id)
    mask = torch.arange(ids.shape[1])[None] < torch.tensor(SCORE_LENGTHS)[:, None]
    scores = model(ids, attention_mask=mask.long()).logits[:, 0]
    weights = torch.randn(len(texts))
    loss = (scores * weights).sum()
    loss.backward()
    return dict(input_ids=torch.cat(texts), lengths=torch.tensor(SCORE_LENGTHS),
                scores=scores.detach(), weights=weights, loss=loss.detach(),
                **take_gradients(model, SCORE_GRADIENTS))


def compute(model, name):
    config = model.config
    # A pad id in the input would get no gradient in torch (padding_idx): it is kept out.
    ids = torch.randint({"opt": 4, "qwen3": 1}.get(config.model_type, 0), config.vocab_size, (1, T))
    positions = torch.arange(T)[None] * (7 if name == "llama3" else 1)  # up to 105 of 128
    logits = model(ids, position_ids=positions, attention_mask=torch.ones_like(ids)).logits[0]
    loss = torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:])
    loss.backward()
    goldens = dict(input_ids=ids[0], positions=positions[0], logits=logits.detach(),
                   loss=loss.detach())
    goldens.update(take_gradients(model, GRADIENTS))
    rope = getattr(model.base_model, "rotary_emb", None)
    if rope is not None:
        goldens["inv_freq"] = rope.inv_freq.clone()
    return goldens


def age(folder, name):
    """Rewrites the weights as older writers left them."""
    path = folder / "model.safetensors"
    state = load_file(path) if path.exists() else {}
    if name == "gpt2_old":
        state = {key.removeprefix("transformer."): tensor for key, tensor in state.items()}
        state["h.0.attn.bias"] = torch.ones(1, 1, 24, 24).tril()
        state["h.0.attn.masked_bias"] = torch.tensor(-10000.0)
        save_file(state, path, {"format": "pt"})
    if name == "opt_head":
        state["lm_head.weight"] = state["model.decoder.embed_tokens.weight"].clone()
        save_file(state, path, {"format": "pt"})


def make_model(seed, name, family, dtype, keys):
    torch.manual_seed(seed)
    dtype = getattr(torch, dtype)
    model = new_model(name, family, dtype, keys)
    folder = FOLDER / name
    # A copy, since its rope tables are rounded too.
    shard_size = "4KB" if name == "sharded" else "5GB"
    copy.deepcopy(model).to(dtype).save_pretrained(folder, max_shard_size=shard_size)
    age(folder, name)
    write_digests(model, folder / "weights.txt")
    if name.endswith("_score"):
        save_file(compute_scores(model), folder / "scores.safetensors")
    elif name not in LAYOUTS:
        save_file(compute(model, name), folder / "logits.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    for seed, case in enumerate(CASES, 1):
        make_model(seed, *case)


if __name__ == "__main__":
    main()
