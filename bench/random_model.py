"""A model with random weights for benches that need its size and not its sense: about 100 million, bfloat16."""
import json
import random
import shutil
import struct

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, INTERMEDIATE, VOCABULARY = 768, 12, 12, 4, 64, 3072, 1024


def shapes():
    yield "model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (VOCABULARY, HIDDEN)
    for layer in range(LAYERS):
        name = f"model.layers.{layer}."
        yield name + "input_layernorm.weight", (HIDDEN,)
        yield name + "post_attention_layernorm.weight", (HIDDEN,)
        yield name + "self_attn.q_proj.weight", (HEADS * HEAD_DIM, HIDDEN)
        yield name + "self_attn.k_proj.weight", (KV_HEADS * HEAD_DIM, HIDDEN)
        yield name + "self_attn.v_proj.weight", (KV_HEADS * HEAD_DIM, HIDDEN)
        yield name + "self_attn.o_proj.weight", (HIDDEN, HEADS * HEAD_DIM)
        yield name + "mlp.gate_proj.weight", (INTERMEDIATE, HIDDEN)
        yield name + "mlp.up_proj.weight", (INTERMEDIATE, HIDDEN)
        yield name + "mlp.down_proj.weight", (HIDDEN, INTERMEDIATE)


def write_model(folder, builtin):
    """Weights are drawn from one megabyte of bfloat16 numbers between -0.06 and 0.06, begun at another place for each tensor. Tokenizer and
    template are those of the model in the folder `builtin`."""
    draw = random.Random(1)
    pool = b"".join(struct.pack("<f", draw.uniform(-0.06, 0.06))[2:] for _ in range(1 << 19))
    header, offset, parts = {}, 0, []
    for name, shape in shapes():
        count = 1
        for size in shape:
            count *= size
        if "norm" in name:
            data = struct.pack("<f", 1.0)[2:] * count
        else:
            begin = 2 * draw.randrange(1 << 18)
            data = (pool[begin:] + pool * (2 * count // len(pool) + 1))[:2 * count]
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        parts.append(data)
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for part in parts:
            file.write(part)
    config = json.loads((builtin / "config.json").read_text())
    config.update(hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD_DIM,
                  intermediate_size=INTERMEDIATE, vocab_size=VOCABULARY, tie_word_embeddings=False, torch_dtype="bfloat16")
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"):
        if (builtin / name).exists():
            shutil.copy(builtin / name, folder / name)
