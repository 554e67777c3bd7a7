/* token_split.c - see token_split.h. */
#include "data/token_split.h"

#include "base/array.h"
#include "base/mem.h"
#include "base/regex.h"
#include "base/scoped.h"
#include "data/token_scan.h"
#include "data/unicode_classes.h"
#include "data/unicode_newer.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

enum { REGEX_POOL = 16 };

struct step {
    struct token_splitter splitter;
    char *pattern; /* owned; the splitter's */
    enum token_scan scan;
    bool needs_newer;                         /* see unicode_newer.h */
    _Atomic(struct regex *) pool[REGEX_POOL]; /* compiled, waiting for a thread */
};

struct token_splits {
    struct step *steps;
    int64_t count;
};

/* A stretch between or of matches. */
struct piece {
    struct token_span span;
    bool is_match;
};

struct pieces {
    struct piece *items;
    int64_t count, capacity;
};

static void pieces_scoped_end(struct pieces *pieces) {
    mem_free(pieces->items);
}

/* ---- lists ---- */

static enum err_code add_span(struct token_words *words, uint32_t begin, uint32_t end,
                              struct error *err) {
    if (begin == end) {
        return ERR_OK;
    }
    TRY(array_reserve(ARRAY_REF(words->spans), &words->capacity, words->count + 1, "words", err));
    words->spans[words->count++] = (struct token_span){begin, end};
    return ERR_OK;
}

static enum err_code add_piece(struct pieces *pieces, uint32_t begin, uint32_t end, bool is_match,
                               struct error *err) {
    TRY(array_reserve(ARRAY_REF(pieces->items), &pieces->capacity, pieces->count + 1, "words",
                      err));
    pieces->items[pieces->count++] = (struct piece){{begin, end}, is_match};
    return ERR_OK;
}

/* Adds the stretch before a match, if any, and the match. */
static enum err_code add_match(struct pieces *pieces, uint32_t *done, uint32_t begin, uint32_t end,
                               struct error *err) {
    if (*done < begin) {
        TRY(add_piece(pieces, *done, begin, false, err));
    }
    *done = end;
    return add_piece(pieces, begin, end, true, err);
}

void token_words_deinit(struct token_words *words) {
    mem_free(words->spans);
    mem_free(words->before);
    token_edit_deinit(&words->edits[0]);
    token_edit_deinit(&words->edits[1]);
    *words = (struct token_words)TOKEN_WORDS_INIT;
}

/* ---- finding matches in one word ---- */

static bool is_delimiter(const struct token_splitter *splitter, const struct unicode_char *c) {
    switch (splitter->kind) {
    case TOKEN_SPLITTER_DIGITS:
        return c->flags & UNICODE_NUMERIC;
    case TOKEN_SPLITTER_PUNCTUATION:
        return c->flags & UNICODE_PUNCTUATION;
    case TOKEN_SPLITTER_WHITESPACE_ONLY:
        return c->flags & UNICODE_SPACE;
    case TOKEN_SPLITTER_REGEX:
    case TOKEN_SPLITTER_TEXT:
    case TOKEN_SPLITTER_BYTE_LEVEL:
    case TOKEN_SPLITTER_METASPACE:
    case TOKEN_SPLITTER_WHITESPACE:
        break;
    }
    return false;
}

static enum err_code find_characters(const struct token_splitter *splitter, const char *bytes,
                                     struct token_span word, struct pieces *out,
                                     struct error *err) {
    uint32_t done = word.begin;
    for (uint32_t at = word.begin; at < word.end;) {
        struct unicode_char c = unicode_char_at(bytes + at);
        if (is_delimiter(splitter, &c)) {
            TRY(add_match(out, &done, at, at + c.bytes, err));
        }
        at += c.bytes;
    }
    return done < word.end ? add_piece(out, done, word.end, false, err) : ERR_OK;
}

/* \w+|[^\w\s]+ */
static enum err_code find_word_runs(const char *bytes, struct token_span word, struct pieces *out,
                                    struct error *err) {
    uint32_t done = word.begin;
    for (uint32_t at = word.begin; at < word.end;) {
        struct unicode_char c = unicode_char_at(bytes + at);
        uint32_t end = at + c.bytes;
        unsigned kind = c.flags & (UNICODE_WORD | UNICODE_SPACE);
        while (kind != UNICODE_SPACE && end < word.end) {
            struct unicode_char next = unicode_char_at(bytes + end);
            if ((next.flags & (UNICODE_WORD | UNICODE_SPACE)) != kind) {
                break;
            }
            end += next.bytes;
        }
        if (kind != UNICODE_SPACE) {
            TRY(add_match(out, &done, at, end, err));
        }
        at = end;
    }
    return done < word.end ? add_piece(out, done, word.end, false, err) : ERR_OK;
}

/* The first place of `text` in bytes [at, end), or `end`. */
static uint32_t find_text(const char *bytes, uint32_t at, uint32_t end, const char *text,
                          size_t count) {
    while (end - at >= count) {
        const char *found = memchr(bytes + at, text[0], end - at - count + 1);
        if (!found) {
            break;
        }
        at = (uint32_t)(found - bytes);
        if (memcmp(found, text, count) == 0) {
            return at;
        }
        at++;
    }
    return end;
}

static enum err_code find_texts(const char *pattern, const char *bytes, struct token_span word,
                                struct pieces *out, struct error *err) {
    size_t count = strlen(pattern);
    uint32_t done = word.begin;
    while (count > 0 && done < word.end) {
        uint32_t at = find_text(bytes, done, word.end, pattern, count);
        if (at == word.end) {
            break;
        }
        TRY(add_match(out, &done, at, at + (uint32_t)count, err));
    }
    return done < word.end ? add_piece(out, done, word.end, false, err) : ERR_OK;
}

static enum err_code find_scanned(enum token_scan scan, const char *bytes, struct token_span word,
                                  struct pieces *out, struct error *err) {
    for (uint32_t at = word.begin; at < word.end;) {
        uint32_t next = token_scan_next(scan, bytes, at, word.end);
        TRY(add_piece(out, at, next, true, err));
        at = next;
    }
    return ERR_OK;
}

/* ---- PCRE2 ---- */

static enum err_code compile(const char *pattern, struct regex **out, struct error *err) {
    struct regex_options options = REGEX_OPTIONS_DEFAULT;
    options.utf = true;
    if (err_wrap(err, regex_new(pattern, &options, out, err), "pattern of the pre-tokenizer")) {
        err->code = err->code == ERR_CONFIG ? ERR_DATA : err->code;
        return err->code;
    }
    return ERR_OK;
}

static enum err_code take_regex(struct step *step, struct regex **out, struct error *err) {
    for (int64_t i = 0; i < REGEX_POOL; i++) {
        *out = atomic_exchange(&step->pool[i], NULL);
        if (*out) {
            return ERR_OK;
        }
    }
    return compile(step->splitter.pattern, out, err);
}

static void give_regex(struct step *step, struct regex *regex) {
    for (int64_t i = 0; i < REGEX_POOL; i++) {
        struct regex *expected = NULL;
        if (atomic_compare_exchange_strong(&step->pool[i], &expected, regex)) {
            return;
        }
    }
    regex_free(regex);
}

/* The word as PCRE2 is to see it; `*out_copy` is owned where that is not the word itself. */
static enum err_code known_characters(const struct step *step, const char *word, size_t count,
                                      char **out_copy, struct error *err) {
    size_t newer = unicode_find_newer(word, count);
    if (newer == count) {
        return ERR_OK;
    }
    if (step->needs_newer) {
        return err_set(err, ERR_DATA,
                       "the pre-tokenizer's pattern '%s' asks for properties of characters that "
                       "are newer than Unicode 14, which PCRE2 knows: U+%04" PRIX32,
                       step->pattern, unicode_char_at(word + newer).code_point);
    }
    *out_copy = mem_strndup(word, count);
    if (!*out_copy) {
        return err_oom(err, "text of the pre-tokenizer");
    }
    unicode_replace_newer(*out_copy, count);
    return ERR_OK;
}

static enum err_code find_regex(const struct step *step, struct regex *regex, const char *bytes,
                                struct token_span word, struct pieces *out, struct error *err) {
    SCOPED(mem) char *copy = NULL;
    size_t count = word.end - word.begin;
    TRY(known_characters(step, bytes + word.begin, count, &copy, err));
    struct regex_iter it = regex_iter_init(
        regex, &(struct regex_text){
                   .bytes = copy ? copy : bytes + word.begin, .count = count, .known_utf8 = true});
    uint32_t done = word.begin;
    for (bool found = true;;) {
        TRY(regex_iter_next(&it, &found, err));
        if (!found) {
            break;
        }
        struct regex_span match = regex_group(regex, 0);
        TRY(add_match(out, &done, word.begin + (uint32_t)match.start,
                      word.begin + (uint32_t)match.end, err));
    }
    return done < word.end ? add_piece(out, done, word.end, false, err) : ERR_OK;
}

/* ---- what becomes of the matches ---- */

static enum err_code add_merged_with_next(const struct pieces *pieces, struct token_words *out,
                                          struct error *err) {
    for (int64_t i = 0; i < pieces->count; i++) {
        uint32_t begin = pieces->items[i].span.begin;
        if (pieces->items[i].is_match && i + 1 < pieces->count && !pieces->items[i + 1].is_match) {
            i++;
        }
        TRY(add_span(out, begin, pieces->items[i].span.end, err));
    }
    return ERR_OK;
}

/* Joins a piece to the one before where `joins` says so. */
static enum err_code add_joined(const struct pieces *pieces, enum token_split_behavior behavior,
                                struct token_words *out, struct error *err) {
    for (int64_t i = 0; i < pieces->count;) {
        uint32_t begin = pieces->items[i].span.begin;
        bool was_match = pieces->items[i].is_match;
        int64_t next = i + 1;
        while (next < pieces->count &&
               (behavior == TOKEN_SPLIT_CONTIGUOUS
                    ? pieces->items[next].is_match == was_match
                    : next == i + 1 && pieces->items[next].is_match && !was_match)) {
            next++;
        }
        TRY(add_span(out, begin, pieces->items[next - 1].span.end, err));
        i = next;
    }
    return ERR_OK;
}

static enum err_code add_pieces(struct pieces *pieces, const struct token_splitter *splitter,
                                struct token_words *out, struct error *err) {
    for (int64_t i = 0; splitter->invert && i < pieces->count; i++) {
        pieces->items[i].is_match = !pieces->items[i].is_match;
    }
    switch (splitter->behavior) {
    case TOKEN_SPLIT_MERGED_WITH_NEXT:
        return add_merged_with_next(pieces, out, err);
    case TOKEN_SPLIT_CONTIGUOUS:
    case TOKEN_SPLIT_MERGED_WITH_PREVIOUS:
        return add_joined(pieces, splitter->behavior, out, err);
    case TOKEN_SPLIT_REMOVED:
    case TOKEN_SPLIT_ISOLATED:
        break;
    }
    for (int64_t i = 0; i < pieces->count; i++) {
        if (splitter->behavior == TOKEN_SPLIT_ISOLATED || !pieces->items[i].is_match) {
            TRY(add_span(out, pieces->items[i].span.begin, pieces->items[i].span.end, err));
        }
    }
    return ERR_OK;
}

/* ---- steps ---- */

/* Every word becomes words; takes words->before, writes words->spans. */
static enum err_code split_words(const struct step *step, struct regex *regex,
                                 struct token_words *words, struct error *err) {
    SCOPED(pieces) struct pieces pieces = {.items = NULL};
    const char *bytes = words->text.bytes;
    for (int64_t i = 0; i < words->before_count; i++) {
        struct token_span word = words->before[i];
        pieces.count = 0;
        if (regex) {
            TRY(find_regex(step, regex, bytes, word, &pieces, err));
        } else if (step->scan != TOKEN_SCAN_NONE) {
            TRY(find_scanned(step->scan, bytes, word, &pieces, err));
        } else if (step->splitter.kind == TOKEN_SPLITTER_TEXT ||
                   step->splitter.kind == TOKEN_SPLITTER_METASPACE) {
            TRY(find_texts(step->splitter.pattern, bytes, word, &pieces, err));
        } else if (step->splitter.kind == TOKEN_SPLITTER_WHITESPACE) {
            TRY(find_word_runs(bytes, word, &pieces, err));
        } else {
            TRY(find_characters(&step->splitter, bytes, word, &pieces, err));
        }
        TRY(add_pieces(&pieces, &step->splitter, words, err));
    }
    return ERR_OK;
}

/* Words by a scan, each a word, as nearly all texts are cut. */
static enum err_code scan_words(enum token_scan scan, struct token_words *words,
                                struct error *err) {
    const char *bytes = words->text.bytes;
    for (int64_t i = 0; i < words->before_count; i++) {
        uint32_t end = words->before[i].end;
        for (uint32_t at = words->before[i].begin; at < end;) {
            uint32_t next = token_scan_next(scan, bytes, at, end);
            TRY(add_span(words, at, next, err));
            at = next;
        }
    }
    return ERR_OK;
}

/* Makes the words of the last step those that the next one splits. */
static void turn_words(struct token_words *words) {
    struct token_span *spans = words->before;
    int64_t capacity = words->before_capacity;
    words->before = words->spans;
    words->before_count = words->count;
    words->before_capacity = words->capacity;
    words->spans = spans;
    words->count = 0;
    words->capacity = capacity;
}

static enum err_code split_step(struct step *step, struct token_words *words, struct error *err) {
    const struct token_splitter *splitter = &step->splitter;
    turn_words(words);
    bool keeps_all = (splitter->behavior == TOKEN_SPLIT_ISOLATED && !splitter->invert) ||
                     (splitter->behavior == TOKEN_SPLIT_REMOVED && splitter->invert);
    if (step->scan != TOKEN_SCAN_NONE && keeps_all) {
        return scan_words(step->scan, words, err);
    }
    if (splitter->kind != TOKEN_SPLITTER_REGEX || step->scan != TOKEN_SCAN_NONE) {
        return split_words(step, NULL, words, err);
    }
    struct regex *regex = NULL;
    TRY(take_regex(step, &regex, err));
    enum err_code code = split_words(step, regex, words, err);
    give_regex(step, regex);
    return code;
}

/* Whether Metaspace or ByteLevel puts its character before this word. */
static bool is_prefixed(const struct token_splitter *splitter, const struct token_text *text,
                        struct token_span word, const char *prefix, size_t prefix_bytes) {
    bool has_it = word.end - word.begin >= prefix_bytes &&
                  memcmp(text->bytes + word.begin, prefix, prefix_bytes) == 0;
    if (splitter->kind == TOKEN_SPLITTER_BYTE_LEVEL) {
        return splitter->prefix_space && !has_it;
    }
    bool blank = text->bytes[word.begin] == ' ';
    return !has_it && !blank &&
           (splitter->prepend == TOKEN_PREPEND_ALWAYS ||
            (splitter->prepend == TOKEN_PREPEND_FIRST &&
             token_text_place_at(text, word.begin).begin == 0));
}

/* One word into the edit: its prefix, and for Metaspace a replacement for every ' '. */
static enum err_code edit_word(const struct token_splitter *splitter, const struct token_text *text,
                               struct token_span word, struct token_edit *edit, struct error *err) {
    bool is_metaspace = splitter->kind == TOKEN_SPLITTER_METASPACE;
    const char *mark = is_metaspace ? splitter->pattern : " ";
    size_t mark_bytes = strlen(mark);
    if (is_prefixed(splitter, text, word, mark, mark_bytes)) {
        TRY(token_edit_insert(edit, mark, mark_bytes, token_text_place_at(text, word.begin), err));
    }
    uint32_t at = word.begin;
    while (is_metaspace && at < word.end) {
        uint32_t blank = find_text(text->bytes, at, word.end, " ", 1);
        TRY(token_edit_copy(edit, text, (struct token_span){at, blank}, err));
        at = blank;
        if (at < word.end) {
            TRY(token_edit_insert(edit, mark, mark_bytes, token_text_place_at(text, at), err));
            at++;
        }
    }
    return token_edit_copy(edit, text, (struct token_span){at, word.end}, err);
}

static enum err_code edit_step(const struct token_splitter *splitter, struct token_words *words,
                               struct error *err) {
    bool stands_in_first = words->text.places && words->text.places == words->edits[0].places;
    struct token_edit *edit = &words->edits[stands_in_first ? 1 : 0];
    token_edit_reset(edit);
    for (int64_t i = 0; i < words->count; i++) {
        uint32_t begin = (uint32_t)edit->count;
        TRY(edit_word(splitter, &words->text, words->spans[i], edit, err));
        words->spans[i] = (struct token_span){begin, (uint32_t)edit->count};
    }
    words->text = token_edit_text(edit);
    return ERR_OK;
}

static enum err_code apply_step(struct step *step, struct token_words *words, struct error *err) {
    const struct token_splitter *splitter = &step->splitter;
    bool is_byte_level = splitter->kind == TOKEN_SPLITTER_BYTE_LEVEL;
    bool is_metaspace = splitter->kind == TOKEN_SPLITTER_METASPACE;
    if (is_metaspace || (is_byte_level && splitter->prefix_space)) {
        TRY(edit_step(splitter, words, err));
    }
    if ((is_byte_level && !splitter->gpt2_pattern) || (is_metaspace && !splitter->split)) {
        return ERR_OK;
    }
    return split_step(step, words, err);
}

enum err_code token_splits_cut(const struct token_splits *splits, const struct token_text *text,
                               struct token_words *words, struct error *err) {
    words->text = *text;
    words->count = 0;
    TRY(add_span(words, 0, text->count, err));
    for (int64_t i = 0; i < splits->count; i++) {
        TRY(apply_step(&splits->steps[i], words, err));
    }
    return ERR_OK;
}

/* ---- making ---- */

static enum err_code init_step(struct step *step, const struct token_splitter *splitter,
                               struct error *err) {
    step->splitter = *splitter;
    step->splitter.pattern = NULL;
    if (splitter->pattern) {
        step->pattern = mem_strdup(splitter->pattern);
        if (!step->pattern) {
            return err_oom(err, "pattern of the pre-tokenizer");
        }
        step->splitter.pattern = step->pattern;
    }
    if (splitter->kind == TOKEN_SPLITTER_BYTE_LEVEL) {
        step->scan = TOKEN_SCAN_GPT2;
        step->splitter.behavior = TOKEN_SPLIT_ISOLATED;
    }
    if (splitter->kind == TOKEN_SPLITTER_DIGITS) {
        step->splitter.behavior =
            splitter->individual ? TOKEN_SPLIT_ISOLATED : TOKEN_SPLIT_CONTIGUOUS;
    }
    if (splitter->kind == TOKEN_SPLITTER_METASPACE) {
        step->splitter.behavior = TOKEN_SPLIT_MERGED_WITH_NEXT;
    }
    if (splitter->kind == TOKEN_SPLITTER_WHITESPACE) {
        step->splitter.behavior = TOKEN_SPLIT_REMOVED;
        step->splitter.invert = true;
    }
    if (splitter->kind == TOKEN_SPLITTER_WHITESPACE_ONLY) {
        step->splitter.behavior = TOKEN_SPLIT_REMOVED;
    }
    if (splitter->kind == TOKEN_SPLITTER_REGEX) {
        step->scan = token_scan_find(splitter->pattern);
        if (step->scan == TOKEN_SCAN_NONE) {
            struct regex *regex = NULL;
            step->needs_newer = unicode_pattern_needs_newer(splitter->pattern);
            TRY(compile(splitter->pattern, &regex, err));
            give_regex(step, regex);
        }
    }
    return ERR_OK;
}

enum err_code token_splits_new(const struct token_splitter *splitters, int64_t count,
                               struct token_splits **out, struct error *err) {
    SCOPED(token_splits) struct token_splits *splits = mem_array_zero(1, sizeof *splits);
    if (!splits) {
        return err_oom(err, "pre-tokenisers");
    }
    splits->steps = mem_array_zero((size_t)count, sizeof *splits->steps);
    if (!splits->steps) {
        return err_oom(err, "pre-tokenisers");
    }
    for (int64_t i = 0; i < count; i++) {
        splits->count = i + 1; /* a half-made step is freed too */
        TRY(init_step(&splits->steps[i], &splitters[i], err));
    }
    *out = MOVE(splits);
    return ERR_OK;
}

void token_splits_free(struct token_splits *splits) {
    if (!splits) {
        return;
    }
    for (int64_t i = 0; i < splits->count; i++) {
        struct step *step = &splits->steps[i];
        mem_free(step->pattern);
        for (int64_t r = 0; r < REGEX_POOL; r++) {
            regex_free(atomic_load(&step->pool[r]));
        }
    }
    mem_free(splits->steps);
    mem_free(splits);
}

bool token_splits_is_byte_level(const struct token_splits *splits) {
    for (int64_t i = 0; i < splits->count; i++) {
        if (splits->steps[i].splitter.kind == TOKEN_SPLITTER_BYTE_LEVEL) {
            return true;
        }
    }
    return false;
}
