#!/usr/bin/env python3
"""Trains small tokenizers of every kind that engine/text reads and writes what the `tokenizers` package makes of difficult texts.

Run by hand when a kind or a case is added: python3 scripts/golden/tokenizers.py [OUT]. Needs Python 3.11 (Unicode 14, which the
package's character classes and ours agree on) and `pip install tokenizers==0.22.1`: 0.23 decodes normalized added tokens to their
normalised text and no longer skips the special ones among them. The corpus is the standard library's own source and generated
words.
"""
import json
import pathlib
import random
import sys
import sysconfig
import unicodedata

sys.path.pop(0)  # this file's folder, where its own name would hide the package
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2] / "test/text/data/tokenizers")
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SCRIPTS = ["abcdefghijklmnopqrstuvwxyz", "àâçéèêëîïôùûüÿœæ", "абвгдежзийклмнопрстуфхцчшщъыьэюя", "αβγδεζηθικλμνξοπρστυφχψω",
           "אבגדהוזחטיכלמנסעפצקרשת", "ابتثجحخدذرزسشصضطظعغفقكلمنهوي", "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह",
           "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长",
           "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん",
           "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン", "가나다라마바사아자차카타파하고노도로모보소오조초코토포호",
           "กขคงจฉชซญดตถทธนบปผพฟมยรลวศสหอ"]
EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🇩🇪", "❤️", "🏳️‍🌈", "🧑🏿‍💻", "🫠", "⌨️", "1️⃣"]


def assigned():
    """Code points of Unicode 14 on which the package's older normalisation tables agree with ours."""
    points = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co") and c != 0x11930]
    forms = [("NFC", normalizers.NFC()), ("NFKC", normalizers.NFKC()), ("NFKD", normalizers.NFKD())]
    last = "\u0345"  # every other mark is ordered before it
    probes = [(name, form, before) for name, form in forms for before in ("", last)]
    return [ord(c) for c in points if all(unicodedata.normalize(name, b + c) == form.normalize_str(b + c) for name, form, b in probes)]


def word(rng):
    letters = rng.choice(SCRIPTS)
    return "".join(rng.choice(letters) for _ in range(1 + int(rng.expovariate(0.25))))


def corpus():
    rng = random.Random(1)
    files = sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py"))[:90]
    lines = [line for file in files for line in file.read_text("utf-8").splitlines(keepends=True)]
    vocabulary = [word(rng) for _ in range(3000)]
    for _ in range(9000):
        words = [rng.choice(vocabulary) for _ in range(rng.randint(2, 12))]
        lines.append(" ".join(words) + rng.choice([".", "!", "?\n", ", ", "\n\n"]) + rng.choice([""] * 9 + EMOJI))
    return lines


class Texts:
    """Draws texts that have broken tokenizers before."""

    def __init__(self, tokenizer, seed, lines, points):
        self.rng, self.lines, self.points = random.Random(seed), lines, points
        self.added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        self.marks = [c for c in points if unicodedata.category(chr(c))[0] == "M"]
        self.digits = [c for c in points if unicodedata.category(chr(c))[0] == "N"]

    def spaces(self):
        kinds = [" ", "  ", "\n", "\t", "\r\n", "\n\n\n", "\u00a0", "\u3000", "\u2003", "\u0085", "\u2028", "\x0b", "\u200b", " \n ", "\u1680"]
        return "".join(self.rng.choice(kinds) for _ in range(self.rng.randint(1, 5)))

    def piece(self):
        rng = self.rng
        kind = rng.randrange(12)
        if kind == 0:
            return "".join(chr(rng.choice(self.points)) for _ in range(rng.randint(1, 12)))
        if kind == 1:
            return "".join(chr(rng.randint(0, 0x2FF)) for _ in range(rng.randint(1, 12)))
        if kind == 2:
            return rng.choice(self.lines)
        if kind == 3:
            return "".join(rng.choice(EMOJI) for _ in range(rng.randint(1, 4)))
        if kind in (4, 5):
            return self.spaces()
        if kind == 6:
            return self.affixed(rng.choice(self.added))
        if kind == 7:
            return "".join(rng.choice("aeoAEO가ா") + chr(rng.choice(self.marks)) for _ in range(rng.randint(1, 4)))
        if kind == 8:
            return "".join(chr(rng.choice(self.marks)) for _ in range(rng.randint(1, 3)))
        if kind == 9:
            return rng.choice(["1", "12", "123", "1234567", "3.14159", "0x1F"]) + chr(rng.choice(self.digits)) * rng.randint(0, 4)
        if kind == 10:
            return rng.choice(["I'm", "it'S", "we'LL", "'\u017ft", "'\u017f", "don't", "y'all've", "K'd", "İstanbul", "ΌΣΟΣ", "ǅ", "a_b", "$x+=1;", "<|", "▁", "▁▁x"])
        return word(rng)

    def affixed(self, token):
        rng = self.rng
        if rng.random() < 0.2:
            token = rng.choice([token.upper(), token[:-1], token + token, token[1:]])
        return rng.choice(["", " ", "  ", "\n", "x", "é", "_", "\u0301"]) + token + rng.choice(["", " ", " \n", "x", "9", "\u0301", "\u0327", "_"])

    def text(self):
        return "".join(self.piece() for _ in range(self.rng.randint(1, 7)))


def special(*contents, **more):
    return [AddedToken(content, special=True, normalized=False, **more) for content in contents]


def train(tokenizer, size, tokens, lines, **more):
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=tokens, show_progress=False, **more)
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def train_bytes(tokenizer, size, tokens, lines):
    return train(tokenizer, size, tokens, lines, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))


def bos(content, tokenizer, single="{0}:0 $A:0"):
    return processors.TemplateProcessing(single=single.format(content), special_tokens=[(content, tokenizer.token_to_id(content))])


def gpt2(lines):
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return train_bytes(made, 8000, special("<|endoftext|>"), lines)


def llama3(lines):
    made = Tokenizer(models.BPE(ignore_merges=True))
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CL100K % r"\p{N}{1,3}"), "isolated"),
                                                  pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    train_bytes(made, 8000, [], lines)
    made.add_special_tokens(special("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
                                    "<|reserved_special_token_0|>", "<|reserved_special_token_10|>"))
    made.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), bos("<|begin_of_text|>", made)])
    return made


def qwen2(lines):
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CL100K % r"\p{N}"), "isolated"),
                                                  pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    train_bytes(made, 8000, [], lines)
    made.add_special_tokens(special("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    made.add_tokens([AddedToken(content, normalized=False) for content in ("<tool_call>", "</tool_call>", "<think>", "</think>")])
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return made


def deepseek(lines):
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.Sequence([])
    words = (r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
             r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\p{N}{1,3}"), "isolated"),
                                                  pre_tokenizers.Split(Regex("[一-龥぀-ゟ゠-ヿ]+"), "isolated"),
                                                  pre_tokenizers.Split(Regex(words), "isolated"),
                                                  pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    train_bytes(made, 8000, [], lines)
    made.add_special_tokens(special("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"))
    made.add_tokens([AddedToken(content, normalized=False) for content in ("<｜User｜>", "<｜Assistant｜>", "<think>")])
    made.add_tokens([AddedToken("EOT", normalized=True)])
    made.post_processor = bos("<｜begin▁of▁sentence｜>", made)
    return made


def llama2(lines):
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    made = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.pre_tokenizer = pre_tokenizers.Split(Regex("▁+[^▁]*"), "isolated")  # while training only: words, and runs of spaces
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    train(made, 8000, special("<unk>", "<s>", "</s>", *byte_tokens), lines, limit_alphabet=700)
    made.post_processor = bos("<s>", made)
    data = json.loads(made.to_str())
    data["pre_tokenizer"] = None
    data["added_tokens"] = [token for token in data["added_tokens"] if token["content"] not in byte_tokens]
    return Tokenizer.from_str(json.dumps(data))


def metaspace(lines):
    """Mistral's way of prepending, and added tokens with every flag."""
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=False))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    made.decoder = decoders.Metaspace(prepend_scheme="first")
    train(made, 1500, special("<unk>", "<s>", "[INST]", "[/INST]"), lines, limit_alphabet=300)
    made.add_special_tokens(special("<left>", lstrip=True) + special("<right>", rstrip=True) + special("<both>", lstrip=True, rstrip=True))
    made.add_special_tokens([AddedToken("<Norm>", special=True, normalized=True)])
    made.add_tokens([AddedToken("import", single_word=True, normalized=False), AddedToken("Return", single_word=True, normalized=True),
                     AddedToken("def ", normalized=True), AddedToken("\n\n", normalized=False), AddedToken("<left", normalized=False)])
    made.post_processor = bos("<s>", made, "{0}:0 $A:0 {0}:0")
    return made


def falcon(lines):
    """Steps behind ByteLevel, a space before every word list, a stripping normaliser."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Replace(Regex(r"\t+"), "  "), normalizers.Strip()])
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Split("=", "merged_with_previous"), pre_tokenizers.Split(Regex(r"\p{Lu}\p{Ll}*"), "merged_with_next"),
        pre_tokenizers.Split(Regex(r"[\r\n]+"), "removed"), pre_tokenizers.ByteLevel(add_prefix_space=True), pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]|(?=Ġ)"), "isolated"), pre_tokenizers.Split(Regex("[^x]+"), "contiguous", invert=True)])
    made.decoder = decoders.ByteLevel()
    train_bytes(made, 1500, special(">>TITLE<<", "<|endoftext|>"), lines)
    return made


def case(tokenizer, text):
    tokenizer.encode_special_tokens = True
    plain = tokenizer.encode(text, add_special_tokens=False).ids
    tokenizer.encode_special_tokens = False
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    framed = tokenizer.encode(text, add_special_tokens=True).ids
    return {"text": text, "ids": ids, "plain": None if plain == ids else plain, "framed": None if framed == ids else framed,
            "decoded": tokenizer.decode(framed, skip_special_tokens=True), "decoded_all": tokenizer.decode(framed, skip_special_tokens=False)}


def random_ids(tokenizer, rng):
    ids = [rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 12))] + tokenizer.encode("end", add_special_tokens=False).ids
    return {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=True), "decoded_all": tokenizer.decode(ids, skip_special_tokens=False)}


def write(name, tokenizer, lines, points, cases=260):
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")
    texts = Texts(tokenizer, name, lines, points)
    long_words = ["a" * 300, " " * 200 + "x", "the" * 90, "日本語" * 60, "\n" * 130, "=" * 150]
    rows = [case(tokenizer, text) for text in ["", " ", "\n", *texts.added, *long_words]]
    rows += [case(tokenizer, texts.text()) for _ in range(cases)]
    rows += [random_ids(tokenizer, texts.rng) for _ in range(60)]
    with open(OUT / f"{name}.golden.jsonl", "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({key: value for key, value in row.items() if value is not None}, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(name, tokenizer.get_vocab_size(), len(rows))


def main():
    if unicodedata.unidata_version != "14.0.0":
        sys.exit("Run this with Python 3.11: the cases stay within Unicode 14.")
    lines, points = corpus(), assigned()
    for make in (gpt2, llama3, qwen2, deepseek, llama2, metaspace, falcon):
        write(make.__name__, make(lines), lines, points)


main()
