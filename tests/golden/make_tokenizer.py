#!/usr/bin/env python3
"""Texts with the ids and places that the tokenizers library gives them.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers==0.23.3
    /tmp/venv/bin/python tests/golden/make_tokenizer.py golden
    /tmp/venv/bin/python tests/golden/make_tokenizer.py train FOLDER TEXTS...
    /tmp/venv/bin/python tests/golden/make_tokenizer.py cases TOKENIZER OUT COUNT SEED [TEXTS...]

golden  writes tests/golden/tokenizer: tiny vocabularies trained on texts made here, with the rules
        of well-known tokenizers, and cases for tests/unit/test_tokenizer_golden.c.
train   the same rules, larger vocabularies, on texts given.
cases   a campaign against any tokenizer.json, or a folder of vocab.json and merges.txt.

The format of cases is in tests/support/token_case.h.

Trailing blanks of a place are kept: trim_offsets is a matter of showing places, so the
post-processor is taken off.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, trainers)

GOLDEN = Path(__file__).parent / "tokenizer"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
# GPT-4o's, which is left to PCRE2.
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


# ---- tokenizers with the rules of others ----

def byte_level(pre, normalizer=None, **model):
    tok = Tokenizer(models.BPE(**model))
    tok.normalizer = normalizer
    tok.pre_tokenizer = pre
    tok.decoder = decoders.ByteLevel()
    trainer = dict(initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=SPECIAL)
    return tok, trainer


def split_then_bytes(pattern):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def llama2():
    tok = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    # Trained word by word, used without: as SentencePiece does.
    tok.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    tok.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(),
                                     decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    return tok, dict(special_tokens=special)


def metaspace(scheme, unk):
    tok = Tokenizer(models.BPE(unk_token="<unk>" if unk else None, fuse_unk=unk == "fuse"))
    tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    tok.decoder = decoders.Metaspace(prepend_scheme=scheme)
    return tok, dict(special_tokens=["<unk>", "<s>"], limit_alphabet=60)


BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous"]


def any_splitter(rng):
    kind, behavior = rng.randrange(7), rng.choice(BEHAVIORS)
    if kind == 0:
        return pre_tokenizers.Split(rng.choice([" ", "a", "the", "'", " a"]), behavior,
                                    rng.random() < 0.5)
    if kind == 1:
        pattern = rng.choice([r"\s+", r"\p{L}+", r"[0-9]", r"a|\p{N}+", r"(?=[A-Z])", r"x*"])
        return pre_tokenizers.Split(Regex(pattern), behavior, rng.random() < 0.5)
    return [pre_tokenizers.Digits(rng.random() < 0.5),
            pre_tokenizers.Punctuation(behavior),
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Whitespace(),
            pre_tokenizers.Metaspace(prepend_scheme=rng.choice(["first", "always", "never"]),
                                     split=rng.random() < 0.5)][kind - 2]


def mixed(seed):
    """Rules that nobody uses together: every splitter, behaviour and normaliser."""
    rng = random.Random(seed)
    steps = [any_splitter(rng) for _ in range(rng.randrange(1, 4))]
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=rng.random() < 0.3,
                                          use_regex=rng.random() < 0.5))
    changes = [normalizers.NFC(), normalizers.Replace(" ", "__"), normalizers.Replace("a", ""),
               normalizers.Prepend("x "), normalizers.Replace("e\u0301", "E")]
    return byte_level(pre_tokenizers.Sequence(steps),
                      normalizers.Sequence(rng.sample(changes, seed % 3)))


def families():
    digits = pre_tokenizers.Digits(individual_digits=True)
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return {
        "gpt2": lambda: byte_level(plain),
        "gpt2_prefix": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)),
        "smollm2": lambda: byte_level(pre_tokenizers.Sequence([digits, plain])),
        "llama3": lambda: byte_level(split_then_bytes(LLAMA3), ignore_merges=True),
        "qwen2": lambda: byte_level(split_then_bytes(QWEN2), normalizers.NFC()),
        "o200k": lambda: byte_level(split_then_bytes(O200K)),
        "falcon": lambda: byte_level(pre_tokenizers.Sequence([
            pre_tokenizers.Punctuation("contiguous"), plain,
            pre_tokenizers.Digits(individual_digits=False),
            pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), behavior="isolated")])),
        "mixed_1": lambda: mixed(1),
        "mixed_2": lambda: mixed(2),
        "mixed_3": lambda: mixed(3),
        "mixed_4": lambda: mixed(4),
        "mixed_5": lambda: mixed(5),
        "llama2": llama2,
        "metaspace_first": lambda: metaspace("first", "fuse"),
        "metaspace_always": lambda: metaspace("always", "single"),
        "metaspace_never": lambda: metaspace("never", None),
    }


def added_tokens():
    return [AddedToken("<mask>", lstrip=True, special=True, normalized=False),
            AddedToken("<right>", rstrip=True, special=True, normalized=False),
            AddedToken("<both>", lstrip=True, rstrip=True, special=False, normalized=False),
            AddedToken("word", single_word=True, special=False, normalized=True),
            AddedToken("caf\u00e9", special=False, normalized=True),
            AddedToken("cafe\u0301s", special=False, normalized=False),
            AddedToken("<|im", special=False, normalized=False),
            AddedToken("<|im_start|>x", special=False, normalized=True),
            AddedToken("two words", special=False, normalized=True),
            AddedToken("  ", special=False, normalized=False),
            AddedToken("\u00e9\u4e16", special=True, normalized=False, single_word=True)]


def train(name, texts, size):
    tok, options = families()[name]()
    tok.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size, show_progress=False,
                                                       **options))
    if name == "llama2":
        tok.pre_tokenizer = None
        spec = json.loads(tok.to_str())
        for token in spec["added_tokens"][3:]:
            assert token["content"].startswith("<0x")
        spec["added_tokens"] = spec["added_tokens"][:3]
        tok = Tokenizer.from_str(json.dumps(spec))
    for token in added_tokens():
        tok.add_special_tokens([token]) if token.special else tok.add_tokens([token])
    return tok


# ---- texts ----

POOLS = {
    "space": [9, 10, 11, 12, 13, 32, 32, 32, 32, 0x85, 0xA0, 0x1680, 0x180E, 0x2003, 0x2028,
              0x2029, 0x202F, 0x205F, 0x3000, 0x200B, 0xFEFF, 0x1C, 0x1F],
    "mark": list(range(0x300, 0x345)) + [0x327, 0x338, 0x5B0, 0x5BC, 0x64B, 0x651, 0x93C, 0x94D,
             0xDCA, 0xE38, 0x1939, 0x20D0, 0x20DD, 0x302A, 0x3099, 0x309A, 0xFE20, 0x1D165, 0x1DCE,
             0x897, 0x7FD, 0x1E2EC, 0x10EFD, 0x11F41],
    "jamo": [0x1100, 0x1112, 0x1161, 0x1175, 0x11A7, 0x11A8, 0x11C2, 0xAC00, 0xAC01, 0xD7A3,
             0xD788],
    "emoji": [0x1F468, 0x1F469, 0x1F3FD, 0x200D, 0xFE0F, 0x2764, 0x1F1E9, 0x1F1EA, 0x1FAE8,
              0x1FADC],
    "quote": [0x27, 0x27, 0x2019, 0x73, 0x53, 0x17F, 0x74, 0x6D, 0x64, 0x72, 0x65, 0x76, 0x6C, 0x4C,
              0x52, 0x45, 0x20],
    "digit": list(range(48, 58)) + [0x660, 0x966, 0xB2, 0xBD, 0x2167, 0x3007, 0x1D7CE, 0x10D40,
              0x11DE0, 0x16D70],
    "compose": [0xC0, 0xE9, 0x1E9B, 0x1E69, 0x212B, 0x2126, 0x340, 0x344, 0x374, 0x37E, 0x387,
                0x958, 0x9DC, 0xFB1D, 0xFB2C, 0xF900, 0x2F800, 0x1D15E, 0x41, 0x61, 0x65, 0x6F,
                0x75, 0x105C9, 0x105D2, 0x307, 0x11382, 0x113C9, 0x11930, 0x11935, 0x1109A,
                0x110BA, 0x16121],
    "control": list(range(0, 32)) + [0x7F, 0x80, 0x9F, 0xAD, 0x200E, 0x202E, 0xE0001, 0xE0100],
    "punct": [ord(c) for c in "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~"] + [0xA1, 0xBF, 0x2014, 0x3001],
}


def any_code_point(rng):
    while True:
        plane = rng.choice([0, 0, 0, 1, 1, 2, 3, 14, rng.randrange(17)])
        c = plane * 0x10000 + rng.randrange(0x10000)
        if not 0xD800 <= c <= 0xDFFF:
            return c


def run_of(rng, words):
    kind = rng.randrange(14)
    if kind < len(POOLS):
        pool = list(POOLS.values())[kind]
        return "".join(chr(rng.choice(pool)) for _ in range(rng.randrange(1, 9)))
    if kind == 9:
        return "".join(chr(any_code_point(rng)) for _ in range(rng.randrange(1, 6)))
    if kind == 10:
        return chr(rng.choice([32, 10, 13, 9, 0x61, 0x2D, 0x301, 0x4E00])) * rng.randrange(1, 40)
    return rng.choice(words)


def make_text(rng, words, added):
    text = ""
    for _ in range(rng.randrange(1, 12)):
        text += run_of(rng, words)
        if rng.random() < 0.3:
            text += rng.choice([" ", " ", "  ", "\n", "'"])
        if rng.random() < 0.15:
            text += rng.choice(added)
    if rng.random() < 0.1:
        text = unicodedata.normalize(rng.choice(["NFD", "NFC", "NFKD"]), text)
    return text


WORDS = ["the", " and", " The", "don't", "I'LL", "we'Ve", "x=1", " 1234567", "3.14",
         "http://a.b/c", "word", "words", "two words", "\t\treturn x;\n\n", "caf\u00e9",
         "cafe\u0301", "na\u00efve", "\u4f60\u597d\uff0c", "\u3053\u3093",
         "\u0928\u092e\u0938\u094d\u0924\u0947", "\u043f\u0440\u0438\u0432\u0435\u0442",
         "\u0645\u0631\u062d\u0628\u0627", "\ud55c\uad6d\uc5b4"]


def words_of(rng, texts):
    words = list(WORDS)
    for text in texts:
        for _ in range(400):
            at = rng.randrange(max(1, len(text) - 60))
            words.append(text[at:at + rng.randrange(1, 60)])
    return words


# ---- cases ----

def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value):
    return varint(2 * value if value >= 0 else -2 * value - 1)


class Writer:
    def __init__(self, path):
        self.file = open(path, "wb")
        self.file.write(b"TOKCASE1")
        self.count = 0

    def add(self, flags, text, ids, places):
        data = text.encode("utf-8")
        self.file.write(varint(flags) + varint(len(data)) + varint(len(ids)) + data)
        at = 0
        for i, (begin, end) in zip(ids, places or [(0, 0)] * len(ids)):
            self.file.write(varint(i))
            if places:
                self.file.write(zigzag(begin - at) + zigzag(end - begin))
                at = begin
        self.count += 1


def load(path):
    path = Path(path)
    if path.is_dir() and not (path / "tokenizer.json").exists():
        tok = Tokenizer(models.BPE.from_file(str(path / "vocab.json"), str(path / "merges.txt")))
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tok.decoder = decoders.ByteLevel()
        return tok
    return Tokenizer.from_file(str(path / "tokenizer.json" if path.is_dir() else path))


def without_processor(tok):
    spec = json.loads(tok.to_str())
    spec.update(post_processor=None, truncation=None, padding=None)
    return Tokenizer.from_str(json.dumps(spec))


def write_cases(tok, out, count, seed, texts):
    tok = without_processor(tok)
    rng = random.Random(seed)
    added = [t.content for t in tok.get_added_tokens_decoder().values()]
    added += [" " + a for a in added] + [a + " " for a in added] + [a[:-1] for a in added]
    added = added or ["<none>"]
    words = words_of(rng, texts)
    writer = Writer(out)
    size = tok.get_vocab_size()
    known = [i for i in range(size + 64) if tok.id_to_token(i) is not None]

    def encode(text, as_text=False):
        tok.encode_special_tokens = as_text
        e = tok.encode(text, add_special_tokens=False)
        writer.add(1 if as_text else 0, text, e.ids, e.offsets)
        return e.ids

    for text in ["", " ", "  ", "\n", "a", "\u0301", "'", " '", "'s", "e\u0301", "\ud55c"]:
        encode(text)
    for text in texts: # lines as people wrote them
        lines = text.splitlines(keepends=True)
        for line in rng.sample(lines, min(len(lines), max(20, count // 40))):
            encode(line[:4000])
    for i in range(count):
        text = make_text(rng, words, added)
        ids = encode(text, as_text=i % 8 == 7)
        if i % 4 == 0:
            if i % 8 == 0:
                ids = [rng.choice(known) for _ in range(rng.randrange(1, 12))]
            else: # cut, so that characters are broken
                ids = ids[rng.randrange(len(ids) + 1):][:rng.randrange(40)]
            skip = rng.random() < 0.5
            text = tok.decode(ids, skip_special_tokens=skip)
            writer.add(2 | (4 if skip else 0), text, ids, None)
    print(out, writer.count, "cases")


def made_texts(seed):
    """Texts of our own: sentences from a small grammar, numbers, code, other scripts."""
    rng = random.Random(seed)
    nouns = "river model token letter captain garden answer reward winter paper engine".split()
    verbs = "reads keeps leaves finds writes wants brings remembers follows makes".split()
    adjectives = "small careful green honest sudden quiet learned broken early".split()
    other = WORDS[-9:] + ["x = f(y);\n\treturn 0;", "don't we'll I'm", "a\u0301e\u0301"]
    return [" ".join(
        [rng.choice(["The", "A", "Her", "the"]), rng.choice(adjectives), rng.choice(nouns),
         rng.choice(verbs), "the", rng.choice(nouns), rng.choice(["and", "but", "while"]),
         str(rng.randrange(10000)), rng.choice(other), rng.choice(nouns) + rng.choice(".,!?;")])
        for _ in range(3000)]


def golden():
    GOLDEN.mkdir(exist_ok=True)
    texts = made_texts(1)
    for number, name in enumerate(families()):
        size = 200 if name.startswith("metaspace") else 560
        tok = train(name, texts, size)
        tok.save(str(GOLDEN / f"{name}.json"), pretty=False)
        write_cases(tok, GOLDEN / f"{name}.cases", 200, 100 + number, ["\n".join(texts[:50])])


def read_texts(paths):
    return [Path(p).read_text(encoding="utf-8", errors="replace") for p in paths]


def main():
    command, *rest = sys.argv[1:]
    if command == "golden":
        golden()
    elif command == "train":
        folder, texts = Path(rest[0]), read_texts(rest[1:])
        folder.mkdir(parents=True, exist_ok=True)
        lines = [line for text in texts for line in text.splitlines(keepends=True)]
        for name in families():
            train(name, lines, 2000 if name.startswith("metaspace") else 8000).save(
                str(folder / f"{name}.json"))
    elif command == "cases":
        write_cases(load(rest[0]), rest[1], int(rest[2]), int(rest[3]), read_texts(rest[4:]))


main()
