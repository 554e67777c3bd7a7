/* tokenizer_spec.c - the rules of well-known tokenizers, as their tokenizer.json has them. */
#include "data/tokenizer_spec.h"

static const char llama3_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char qwen2_pattern[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

void tokenizer_spec_set_byte_level(struct tokenizer_spec *spec, enum token_pattern pattern) {
    spec->normalizer_count = 0;
    spec->splitter_count = 0;
    switch (pattern) {
    case TOKEN_PATTERN_GPT2:
        break;
    case TOKEN_PATTERN_SMOLLM2:
        spec->splitters[spec->splitter_count++] =
            (struct token_splitter){.kind = TOKEN_SPLITTER_DIGITS, .individual = true};
        break;
    case TOKEN_PATTERN_QWEN2:
        spec->normalizers[spec->normalizer_count++] =
            (struct token_normalizer){.kind = TOKEN_NORMALIZER_NFC};
        spec->splitters[spec->splitter_count++] =
            (struct token_splitter){.kind = TOKEN_SPLITTER_REGEX,
                                    .pattern = qwen2_pattern,
                                    .behavior = TOKEN_SPLIT_ISOLATED};
        break;
    case TOKEN_PATTERN_LLAMA3:
        spec->splitters[spec->splitter_count++] =
            (struct token_splitter){.kind = TOKEN_SPLITTER_REGEX,
                                    .pattern = llama3_pattern,
                                    .behavior = TOKEN_SPLIT_ISOLATED};
        break;
    }
    spec->splitters[spec->splitter_count++] = (struct token_splitter){
        .kind = TOKEN_SPLITTER_BYTE_LEVEL,
        .gpt2_pattern = pattern == TOKEN_PATTERN_GPT2 || pattern == TOKEN_PATTERN_SMOLLM2};
    spec->decoders[0] = (struct token_decoder){.kind = TOKEN_DECODER_BYTE_LEVEL};
    spec->decoder_count = 1;
}

void tokenizer_spec_set_llama2(struct tokenizer_spec *spec) {
    spec->normalizers[0] =
        (struct token_normalizer){.kind = TOKEN_NORMALIZER_PREPEND, .text = "\u2581"};
    spec->normalizers[1] = (struct token_normalizer){
        .kind = TOKEN_NORMALIZER_REPLACE, .pattern = " ", .text = "\u2581"};
    spec->normalizer_count = 2;
    spec->splitter_count = 0;
    spec->decoders[0] =
        (struct token_decoder){.kind = TOKEN_DECODER_REPLACE, .pattern = "\u2581", .text = " "};
    spec->decoders[1] = (struct token_decoder){.kind = TOKEN_DECODER_BYTE_FALLBACK};
    spec->decoders[2] = (struct token_decoder){.kind = TOKEN_DECODER_FUSE};
    spec->decoders[3] =
        (struct token_decoder){.kind = TOKEN_DECODER_STRIP, .pattern = " ", .start = 1};
    spec->decoder_count = 4;
    spec->byte_fallback = true;
    spec->fuse_unk = true;
}
