"""Writes data/unicode_class_table.c, data/unicode_nfc_table.c and data/unicode_newer_table.c.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers==0.23.3 unicodedata2==16.0.0
    /tmp/venv/bin/python tests/golden/make_unicode_tables.py data

Tokenizers must agree with the library that models were trained with, not with the newest Unicode.
So each class is asked of the library itself, code point by code point. What it answers is, in
version 0.23.3: \\p{L}, \\p{N}, \\s and \\w of Unicode 16.0 (Oniguruma, Rust's regex), numeric
characters of 17.0 (Rust), punctuation of about 8.0, and NFC with the classes of 10.0. Canonical
decompositions are those of 16.0, less what the library does not know.

What PCRE2 10.42 does not know, which has Unicode 14.0 as Python 3.11 has, gets a stand-in: a
character of the same category and length that it knows, and of the same script where that is Han.
"""

import sys
import unicodedata
from pathlib import Path

import tokenizers
import unicodedata2
from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)
BLOCK = 128
NFC = normalizers.NFC()


def removed_by(splitter):
    """Code points that, alone, a splitter takes for a delimiter."""
    return {c for c in CODE_POINTS if not splitter.pre_tokenize_str(chr(c))}


def matched_by(pattern):
    return removed_by(pre_tokenizers.Split(Regex(pattern), behavior="removed"))


def numeric():
    digits = pre_tokenizers.Digits(individual_digits=True)
    return {c for c in CODE_POINTS if len(digits.pre_tokenize_str("a" + chr(c))) == 2}


def words():
    splitter = pre_tokenizers.Whitespace()
    return {c for c in CODE_POINTS if [w for w, _ in splitter.pre_tokenize_str("a" + chr(c))]
            == ["a" + chr(c)]}


def combining_classes():
    """Class by code point. One the library does not know neither moves nor blocks."""
    classes = {}
    for c in CODE_POINTS:
        ccc = unicodedata2.combining(chr(c))
        text = "e" + chr(c) + "\u0323\u0301"
        if ccc and NFC.normalize_str(text) == unicodedata2.normalize("NFC", text):
            classes[c] = ccc
    return classes


def decompositions():
    """Code point -> (first, second or 0, whether the two compose again)."""
    table = {}
    for c in CODE_POINTS:
        parts = unicodedata2.decomposition(chr(c)).split()
        if not parts or parts[0].startswith("<") or c in HANGUL:
            continue
        full = unicodedata2.normalize("NFD", chr(c))
        standard = unicodedata2.normalize("NFC", full)
        if NFC.normalize_str(full) != standard or NFC.normalize_str(chr(c)) != standard:
            continue # the library does not know it
        first, second = int(parts[0], 16), int(parts[1], 16) if len(parts) > 1 else 0
        table[c] = (first, second, standard == chr(c))
    return table


def lines(items, indent="    "):
    out, line = [], indent
    for item in items:
        if len(line) + len(item) + 1 > 99:
            out.append(line.rstrip())
            line = indent
        line += item + " "
    return "\n".join(out + [line.rstrip()])


def head(name, what):
    return (f"/* {name} - {what}\n * Made by tests/golden/make_unicode_tables.py with tokenizers"
            f" {tokenizers.__version__} and unicodedata2\n * {unicodedata2.unidata_version}.\n */\n"
            "/* clang-format off */\n")


def write_classes(folder, classes, decomposed):
    flags = [0] * 0x110000
    composing = {c for c in decomposed if not decomposed[c][2]} | set(classes)
    composing |= {second for _, second, again in decomposed.values() if again}
    composing |= set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3)) # Hangul vowels, finals
    sets = [matched_by(r"\p{L}"), matched_by(r"\p{N}"), numeric(), matched_by(r"\s"), words(),
            removed_by(pre_tokenizers.Punctuation("removed")), composing]
    for bit, members in enumerate(sets):
        for c in members:
            flags[c] |= 1 << bit
    combinations = sorted(set(flags))
    assert len(combinations) <= 16, combinations
    number = {f: i for i, f in enumerate(combinations)}
    # Above the last block of the dense part come only the variation selectors of plane 14.
    top = max(c for c in range(0xE0000) if flags[c]) // BLOCK + 1
    tail = [c for c in range(top * BLOCK, 0x110000) if flags[c]]
    assert tail == list(range(0xE0100, 0xE01F0)) and len({flags[c] for c in tail}) == 1
    blocks, index = {}, []
    for b in range(top):
        key = tuple(number[f] for f in flags[b * BLOCK:(b + 1) * BLOCK])
        index.append(blocks.setdefault(key, len(blocks)))
    assert len(blocks) <= 256
    words64 = [f"0x{sum(k[i + j] << 4 * j for j in range(16)):016x}," for k in blocks
               for i in range(0, BLOCK, 16)]
    text = head("unicode_class_table.c", "see unicode_classes.h.")
    text += '#include "data/unicode_classes.h"\n\n'
    text += f"const uint32_t unicode_class_end = 0x{top * BLOCK:x};\n\n"
    text += f"const uint8_t unicode_class_of_tail = 0x{flags[0xE0100]:02x};\n\n"
    text += "const uint8_t unicode_class_combinations[16] = {\n"
    text += lines(f"0x{f:02x}," for f in combinations) + "\n};\n\n"
    text += "const uint8_t unicode_class_ascii[128] = {\n"
    text += lines(f"0x{f:02x}," for f in flags[:128]) + "\n};\n\n"
    text += f"const uint8_t unicode_class_blocks[{top}] = {{\n"
    text += lines(f"{b}," for b in index) + "\n};\n\n"
    text += f"const uint64_t unicode_class_nibbles[{len(words64)}] = {{\n"
    text += lines(words64) + "\n};\n"
    (folder / "unicode_class_table.c").write_text(text)


def write_nfc(folder, classes, decomposed):
    runs = []
    for c in sorted(classes):
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == classes[c]:
            runs[-1][1] = c
        else:
            runs.append([c, c, classes[c]])
    entries = sorted(decomposed)
    pairs = sorted((decomposed[c][:2], i) for i, c in enumerate(entries) if decomposed[c][2])
    text = head("unicode_nfc_table.c", "see unicode_nfc_table.h.")
    text += '#include "data/unicode_nfc_table.h"\n\n'
    text += f"const int64_t nfc_class_run_count = {len(runs)};\n"
    text += "const struct nfc_class_run nfc_class_runs[] = {\n"
    text += lines(f"{{0x{a:x},0x{b:x},{k}}}," for a, b, k in runs) + "\n};\n\n"
    text += f"const int64_t nfc_decomposition_count = {len(entries)};\n"
    text += "const struct nfc_decomposition nfc_decompositions[] = {\n"
    text += lines(f"{{0x{c:x},0x{decomposed[c][0]:x},0x{decomposed[c][1]:x}}}," for c in entries)
    text += "\n};\n\n"
    text += f"const int64_t nfc_composition_count = {len(pairs)};\n"
    text += "const uint16_t nfc_compositions[] = {\n"
    text += lines(f"{i}," for _, i in pairs) + "\n};\n"
    (folder / "unicode_nfc_table.c").write_text(text)


def stand_ins():
    """(first, last, stand-in) of code points whose category is another than in Unicode 14."""
    assert unicodedata.unidata_version == "14.0.0"
    known = {}
    for c in reversed(CODE_POINTS):
        category = unicodedata.category(chr(c))
        if c != 0x180E and category == unicodedata2.category(chr(c)):
            known[category, len(chr(c).encode())] = c
    runs = []
    for c in CODE_POINTS:
        category = unicodedata2.category(chr(c))
        if c != 0x180E and category == unicodedata.category(chr(c)):
            continue
        stand_in = known[category, len(chr(c).encode())]
        if unicodedata2.name(chr(c)).startswith("CJK UNIFIED"):
            stand_in = 0x4E00 if c < 0x10000 else 0x20000
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == stand_in:
            runs[-1][1] = c
        else:
            runs.append([c, c, stand_in])
    return runs


def write_newer(folder):
    runs = stand_ins()
    text = head("unicode_newer_table.c", "see unicode_newer.h.")
    text += '#include "data/unicode_newer.h"\n\n'
    text += f"const int64_t unicode_newer_run_count = {len(runs)};\n"
    text += "const struct unicode_newer_run unicode_newer_runs[] = {\n"
    text += lines(f"{{0x{a:x},0x{b:x},0x{s:x}}}," for a, b, s in runs) + "\n};\n"
    (folder / "unicode_newer_table.c").write_text(text)


def main():
    folder = Path(sys.argv[1])
    classes, decomposed = combining_classes(), decompositions()
    write_classes(folder, classes, decomposed)
    write_nfc(folder, classes, decomposed)
    write_newer(folder)


main()
