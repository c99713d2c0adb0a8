"""Writes test/core/data/models: a tiny random model of every architecture that is served, with the logits and the greedy tokens that
`transformers` computes for it in float32.

Run in a virtual environment that has requirements.txt: models.py [NAME]... Weights are drawn large enough that heads attend sharply,
far positions count and every norm and bias matters: with the usual small ones, a wrong rotation would hide within the tolerance.
"""

import json
import pathlib
import shutil
import sys

# This file's folder holds tokenizers.py, which would hide the package of that name.
sys.path[:] = [folder for folder in sys.path if pathlib.Path(folder or ".").resolve() != pathlib.Path(__file__).resolve().parent]

import numpy
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, logging

logging.disable_progress_bar()
torch.set_num_threads(1)
OUT = pathlib.Path(__file__).resolve().parents[2] / "test/core/data/models"
PROMPT, GREEDY = 80, 24
POSITIONS = [0, 7, 31, 32, 40, 55, 64, 79]  # both sides of a block's end, and beyond the original context of `llama3`
MARGIN = 0.01  # of a greedy token over the next one, in parts of the largest logit: ten times what the test tolerates
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

SMALL = {"hidden_size": 64, "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
         "vocab_size": 300, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "hidden_act": "silu",
         "bos_token_id": None, "eos_token_id": None}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}

# Keys of config.json; `torch_dtype` is also what the weights are stored in. `shards`: files of weights. `saved`: config.json is the one
# that transformers itself writes, not the older spelling that most published models have. `seed`: one whose answers do not only repeat.
MODELS = {
    "llama": {"config": {"num_key_value_heads": 4, "torch_dtype": "bfloat16"}},
    "llama_biases_head_dim": {"config": {"head_dim": 24, "attention_bias": True, "mlp_bias": True, "rope_theta": 500.0,
                                         "torch_dtype": "float16"}, "shards": 3},
    "llama3_rope_tied": {"config": {"num_attention_heads": 2, "num_key_value_heads": 1, "rope_theta": 5000.0, "rope_scaling": LLAMA3,
                                    "tie_word_embeddings": True, "torch_dtype": "float32"}},
    "llama_linear_rope": {"config": {"num_key_value_heads": 1, "rope_scaling": {"type": "linear", "factor": 4.0},
                                     "torch_dtype": "float16"}},
    "mistral": {"model_type": "mistral", "config": {"num_hidden_layers": 3, "rope_theta": 1000000.0, "sliding_window": None,
                                                    "torch_dtype": "bfloat16"}},
    "qwen2": {"model_type": "qwen2", "config": {"rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "use_sliding_window": False,
                                                "sliding_window": 64, "max_window_layers": 1, "torch_dtype": "bfloat16"}},
    "qwen2_tied": {"model_type": "qwen2", "config": {"num_key_value_heads": 1, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
                                                     "tie_word_embeddings": True, "torch_dtype": "float32"}, "seed": 37},
    "qwen3": {"model_type": "qwen3", "config": {"head_dim": 48, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
                                                "torch_dtype": "bfloat16"}, "saved": True},
}
# Leaving these out must change the logits, else the golden file proves nothing of them.
TELLING = ["rope_theta", "rope_scaling"]


def config_of(spec, shape):
    kind = spec.get("model_type", "llama")
    architecture = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}[kind] + "ForCausalLM"
    return {"architectures": [architecture], "model_type": kind} | SMALL | spec["config"] | shape


def write_config(folder, config, saved):
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if saved:
        AutoConfig.from_pretrained(folder).save_pretrained(folder)


def draw(name, shape, tied, rng):
    normal = rng.standard_normal(shape)
    if "norm" in name:
        return 1 + 0.3 * normal
    if name.endswith("bias"):
        return 0.5 * normal
    if "embed_tokens" in name:
        return normal * (0.25 if tied else 1)
    gain = 1.5 if "q_proj" in name or "k_proj" in name else 2 if "lm_head" in name else 1
    return normal * gain / shape[1] ** 0.5


def write_weights(folder, config, shards, seed):
    rng, tied = numpy.random.default_rng(seed), config["tie_word_embeddings"]
    empty = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32).state_dict()
    names = sorted(name for name in empty if not (tied and name == "lm_head.weight"))
    tensors = {}
    for name in names:
        values = draw(name, tuple(empty[name].shape), tied, rng).astype(numpy.float32)
        tensors[name] = torch.from_numpy(values).to(DTYPES[config["torch_dtype"]]).contiguous()
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    files = {name: f"model-{1 + i * shards // len(names):05}-of-{shards:05}.safetensors" for i, name in enumerate(names)}
    for file in sorted(set(files.values())):
        save_file({name: tensors[name] for name in names if files[name] == file}, folder / file, metadata={"format": "pt"})
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def write_model(folder, spec, seed, shape=None):
    """A Hugging Face folder; `shape` overrides keys of its config."""
    folder.mkdir(parents=True, exist_ok=True)
    config = config_of(spec, shape or {})
    write_config(folder, config, False)
    write_weights(folder, config, spec.get("shards", 1), seed)
    write_config(folder, config, spec.get("saved", False))
    return config


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def logits_of(model, tokens):
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].numpy()


def greedy(model, prompt, count):
    """The tokens, and the smallest margin of one over the next in parts of the largest logit."""
    tokens, margin = list(prompt), float("inf")
    for _ in range(count):
        last = logits_of(model, tokens)[-1]
        top = numpy.sort(last)[-2:]
        margin = min(margin, (top[1] - top[0]) / numpy.abs(last).max())
        tokens.append(int(last.argmax()))
    return tokens[len(prompt):], float(margin)


def choose_prompt(model, vocabulary, seed):
    """The first prompt whose answer is clear at every step and does not run in a small circle."""
    for attempt in range(400):
        prompt = numpy.random.default_rng([seed, attempt]).integers(0, vocabulary, PROMPT).tolist()
        tokens, margin = greedy(model, prompt, GREEDY)
        if margin >= MARGIN and len(set(tokens)) >= GREEDY // 3:
            return prompt, tokens, margin
    raise SystemExit("no prompt has a clear answer: take another seed")


def check_telling(folder, config, prompt, logits):
    for key in TELLING:
        if config.get(key, SMALL.get(key, 10000.0 if key == "rope_theta" else None)) in (None, 10000.0):
            continue
        changed = folder.parent / (folder.name + ".changed")
        shutil.copytree(folder, changed)
        write_config(changed, {name: value for name, value in config.items() if name != key}, False)
        far = numpy.abs(logits_of(load(changed), prompt)[-1] - logits[-1]).max() / numpy.abs(logits[-1]).max()
        shutil.rmtree(changed)
        print(f"  without {key}: {far:.3f}")
        assert far > 0.02, key


def write_golden(name, spec, seed):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    config = write_model(folder, spec, seed)
    model = load(folder)
    prompt, tokens, margin = choose_prompt(model, config["vocab_size"], seed)
    logits = logits_of(model, prompt)
    rows = [{"position": at, "logits": [float(f"{value:.7g}") for value in logits[at].tolist()]} for at in POSITIONS]
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    fields = json.dumps({"prompt": prompt, "greedy": tokens}, separators=(",", ":"))
    (folder / "golden.json").write_text(f'{fields[:-1]},\n"logits":[\n{lines}\n]}}\n')
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{name}: {size // 1024} KiB, margin {margin:.4f}, largest logit {numpy.abs(logits).max():.1f}")
    check_telling(folder, config, prompt, logits)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for number, (name, spec) in enumerate(MODELS.items(), 1):
        if name in (sys.argv[1:] or MODELS):
            write_golden(name, spec, spec.get("seed", number))


if __name__ == "__main__":
    main()
