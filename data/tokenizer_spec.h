/* tokenizer_spec.h - what a tokenizer is made of: vocabulary, merges and rules, from any source.
 *
 * Use:      struct tokenizer_spec spec = TOKENIZER_SPEC_INIT;
 *           spec.tokens = tokens;                  // tokens[id], as tokenizer.json spells them
 *           spec.token_count = count;
 *           spec.merges = merges;                  // by rank, best first
 *           spec.merge_count = merge_count;
 *           tokenizer_spec_set_byte_level(&spec, TOKEN_PATTERN_GPT2);
 *           TRY(tokenizer_new(&spec, &tok, err));
 *
 *           The parts follow tokenizer.json, in the order in which a text meets them: added tokens
 *           are cut out; what is left is normalised, split into words, and each word is merged.
 * Spelling: where some step is of a byte-level kind, tokens are spelt in GPT-2's alphabet of 256
 *           letters for 256 bytes ("Ġthe" is " the"); else they are the text itself, with
 *           "<0x0A>" for single bytes where byte_fallback is set.
 * Owns:     nothing. Everything is borrowed, and only for the call that reads it.
 * Threads:  no state.
 */
#ifndef DATA_TOKENIZER_SPEC_H
#define DATA_TOKENIZER_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two neighbours that become one token: that which is spelt as the two together. */
struct token_merge {
    int32_t left, right;
};

/* A text that is cut out before everything else. */
struct added_token {
    const char *text;
    int32_t id;
    bool special;        /* left out by TOKENIZER_SKIP_SPECIAL; plain text under
                            TOKENIZER_SPECIAL_AS_TEXT */
    bool lstrip, rstrip; /* blanks on that side belong to it */
    bool single_word;    /* only between characters that are no letters, digits or '_' */
    bool normalized;     /* looked for in the normalised text */
};

/* ---- normalisers, in order ---- */

enum token_normalizer_kind {
    TOKEN_NORMALIZER_NFC,     /* canonical composition */
    TOKEN_NORMALIZER_PREPEND, /* `text` in front of what is not empty */
    TOKEN_NORMALIZER_REPLACE, /* every `pattern`, a literal text, by `text` */
};

struct token_normalizer {
    enum token_normalizer_kind kind;
    const char *pattern;
    const char *text;
};

/* ---- pre-tokenisers, in order: each splits the words of the one before ---- */

enum token_splitter_kind {
    TOKEN_SPLITTER_REGEX,           /* `pattern`, Oniguruma's syntax as far as it is Perl's */
    TOKEN_SPLITTER_TEXT,            /* `pattern`, literally */
    TOKEN_SPLITTER_DIGITS,          /* numeric characters, one by one if `individual` */
    TOKEN_SPLITTER_BYTE_LEVEL,      /* `prefix_space`; `gpt2_pattern`; tokens are spelt in bytes */
    TOKEN_SPLITTER_METASPACE,       /* `pattern` (one character) for ' '; `prepend`; `split` */
    TOKEN_SPLITTER_WHITESPACE,      /* \w+|[^\w\s]+ */
    TOKEN_SPLITTER_WHITESPACE_ONLY, /* at White_Space, which is dropped */
    TOKEN_SPLITTER_PUNCTUATION,     /* `behavior` at ASCII and Unicode punctuation */
};

/* What happens to the matches of a splitter. */
enum token_split_behavior {
    TOKEN_SPLIT_REMOVED,
    TOKEN_SPLIT_ISOLATED,
    TOKEN_SPLIT_MERGED_WITH_PREVIOUS,
    TOKEN_SPLIT_MERGED_WITH_NEXT,
    TOKEN_SPLIT_CONTIGUOUS,
};

enum token_prepend {
    TOKEN_PREPEND_ALWAYS, /* before each stretch between added tokens */
    TOKEN_PREPEND_NEVER,
    TOKEN_PREPEND_FIRST, /* before the text's first stretch only */
};

struct token_splitter {
    enum token_splitter_kind kind;
    const char *pattern;
    enum token_split_behavior behavior;
    bool invert;       /* REGEX and TEXT: what lies between matches is what is split off */
    bool individual;   /* DIGITS */
    bool prefix_space; /* BYTE_LEVEL: a ' ' before each stretch that does not begin with a blank */
    bool gpt2_pattern; /* BYTE_LEVEL: splits by GPT-2's pattern ("use_regex") */
    bool split;        /* METASPACE: at each replacement; else one word */
    enum token_prepend prepend; /* METASPACE */
};

/* ---- decoders, in order ---- */

enum token_decoder_kind {
    TOKEN_DECODER_BYTE_LEVEL,
    TOKEN_DECODER_METASPACE,     /* `pattern` becomes ' '; the one prepended is dropped */
    TOKEN_DECODER_REPLACE,       /* `pattern`, a literal text, by `text` */
    TOKEN_DECODER_BYTE_FALLBACK, /* "<0x0A>" is a byte */
    TOKEN_DECODER_FUSE,          /* from here on the text is one piece */
    TOKEN_DECODER_STRIP,         /* at most `start` times the character `pattern` in front, at most
                                    `stop` times at the end */
};

struct token_decoder {
    enum token_decoder_kind kind;
    const char *pattern;
    const char *text;
    int64_t start, stop;
    enum token_prepend prepend; /* METASPACE */
};

#define TOKENIZER_STEPS_MAX 16 /* of each kind */

struct tokenizer_spec {
    /* A token per id, NULL: no such id in the model's vocabulary. Added tokens may lie in it or
     * beyond it. */
    const char *const *tokens;
    int64_t token_count;
    const struct token_merge *merges; /* by rank, best first */
    int64_t merge_count;
    const struct added_token *added; /* in order of the file */
    int64_t added_count;

    struct token_normalizer normalizers[TOKENIZER_STEPS_MAX];
    struct token_splitter splitters[TOKENIZER_STEPS_MAX];
    struct token_decoder decoders[TOKENIZER_STEPS_MAX];
    int64_t normalizer_count, splitter_count, decoder_count;

    bool ignore_merges; /* a word that is a token is that token, whatever the merges say */
    bool byte_fallback; /* a character that is no token becomes "<0x..>" for each of its bytes */
    bool fuse_unk;      /* neighbouring unknown characters are one `unk` */
    int32_t model_unk;  /* for a character that is no token; -1: it leaves no token */

    int32_t bos, eos, pad, unk; /* as the model's files name them; -1: none */
    bool adds_bos, adds_eos;    /* whether the model expects them around every text */
    const char *chat_template;  /* Jinja; NULL: none */
};

#define TOKENIZER_SPEC_INIT                                                                 \
    {                                                                                       \
        .tokens = NULL, .token_count = 0, .model_unk = -1, .bos = -1, .eos = -1, .pad = -1, \
        .unk = -1                                                                           \
    }

/* The patterns of byte-level vocabularies that are known by name. */
enum token_pattern {
    TOKEN_PATTERN_GPT2,    /* GPT-2, OPT, Phi; one splitter with its own pattern */
    TOKEN_PATTERN_SMOLLM2, /* digits one by one, then GPT-2's */
    TOKEN_PATTERN_LLAMA3,  /* digits by three, words with the sign before them */
    TOKEN_PATTERN_QWEN2,   /* Llama 3's with digits one by one, on NFC */
};

/* Sets normalisers, splitters and decoders. */
void tokenizer_spec_set_byte_level(struct tokenizer_spec *spec, enum token_pattern pattern);

/* Sets those of Llama 2 as its tokenizer.json has them: "▁" for blanks and before each stretch, one
 * word, bytes for unknown characters. */
void tokenizer_spec_set_llama2(struct tokenizer_spec *spec);

#endif
