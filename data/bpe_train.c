/* bpe_train.c - see bpe_train.h.
 *
 * The order of events is that of the library, down to what it does where two merges spell the same
 * token: the second gives the id of the first, pairs with that id are queued once more for the
 * words in which they are new, and the count of a pair that has been merged is left standing. Only
 * so do later counts, and with them the merges, agree.
 */
#include "data/bpe_train.h"

#include "base/array.h"
#include "base/interrupt.h"
#include "base/invariant.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "data/byte_alphabet.h"
#include "data/text_fold.h"
#include "data/text_index.h"
#include "data/token_split.h"
#include "data/unicode_nfc.h"

#include <inttypes.h>

#define BYTE_COUNT      256
#define TEXT_BYTES_MAX  ((size_t)64 * GIB)
#define LETTER_END      (0x100 + BYTE_COUNT) /* behind the last of the alphabet */
#define INTERRUPT_EVERY 64

/* Words in which a pair is new. */
struct word_list {
    int32_t *words;
    int64_t count, capacity;
};

struct pair {
    int32_t left, right;
    int64_t count;
    int64_t merge; /* its place among the merges; -1: not merged */
    struct word_list pending;
    bool is_touched; /* stands in the list of pairs to be queued */
};

struct candidate {
    int32_t pair;
    int64_t count;          /* when it was queued */
    struct word_list words; /* owned */
};

struct bpe_trainer {
    struct bpe_train_options options;
    struct token_splits *splits;
    struct token_words cut; /* of the last text */
    struct token_edit normalized;
    bool needs_nfc;
    struct text_index words; /* as bytes */
    int64_t *word_counts;    /* [words.count] */
    int64_t word_capacity;
    int64_t byte_total, word_total;

    struct text_index tokens; /* as tokenizer.json spells them */
    int32_t byte_ids[BYTE_COUNT];

    int32_t *symbols;      /* of all words; a word only gets shorter */
    int64_t *symbol_begin; /* [words.count + 1] */
    int32_t *symbol_count; /* [words.count] */

    struct pair *pairs; /* [pair_count] */
    int32_t *pair_slots;
    int64_t pair_count, pair_capacity, pair_slot_count;
    int32_t *touched; /* [touched_count] pairs */
    int64_t touched_count, touched_capacity;

    struct candidate *heap; /* [heap_count], the best first */
    int64_t heap_count, heap_capacity;

    struct token_merge *merges; /* left == -1: replaced by a later one */
    int64_t merge_count, merge_capacity;
};

static enum err_code reserve(struct array_ref array, int64_t *capacity, int64_t needed,
                             struct error *err) {
    return array_reserve(array, capacity, needed, "training of a tokenizer", err);
}

/* ---- life ---- */

static enum err_code check_special(const struct bpe_train_options *options, struct error *err) {
    for (int64_t s = 0; s < options->special_count; s++) {
        const char *text = options->special[s];
        if (strlen(text) < 2 || utf8_find_invalid(text, strlen(text)) < strlen(text)) {
            return err_set(err, ERR_USAGE,
                           "special token '%s': expected two characters or more, in UTF-8", text);
        }
        for (int64_t t = 0; t < s; t++) {
            if (strcmp(text, options->special[t]) == 0) {
                return err_set(err, ERR_USAGE, "special token '%s' is given twice", text);
            }
        }
    }
    return ERR_OK;
}

static enum err_code check_options(const struct bpe_train_options *options, struct error *err) {
    if (options->special_count > BPE_SPECIAL_MAX) {
        return err_set(err, ERR_USAGE, "%" PRId64 " special tokens, at most %d",
                       options->special_count, BPE_SPECIAL_MAX);
    }
    int64_t least = BYTE_COUNT + options->special_count;
    if (options->vocabulary < least || options->vocabulary > BPE_VOCABULARY_MAX) {
        return err_set(err, ERR_USAGE,
                       "a vocabulary of %" PRId64 " tokens is outside [%" PRId64 ", %d]: 256 bytes "
                       "and %" PRId64 " special tokens are in every one",
                       options->vocabulary, least, BPE_VOCABULARY_MAX, options->special_count);
    }
    ASSERT(options->bos < options->special_count && options->eos < options->special_count &&
           options->pad < options->special_count);
    return check_special(options, err);
}

static enum err_code make_splits(struct bpe_trainer *trainer, struct error *err) {
    struct tokenizer_spec spec = TOKENIZER_SPEC_INIT;
    tokenizer_spec_set_byte_level(&spec, trainer->options.pattern);
    trainer->needs_nfc = spec.normalizer_count > 0;
    return token_splits_new(spec.splitters, spec.splitter_count, &trainer->splits, err);
}

enum err_code bpe_trainer_new(const struct bpe_train_options *options, struct bpe_trainer **out,
                              struct error *err) {
    TRY(check_options(options, err));
    SCOPED(bpe_trainer) struct bpe_trainer *trainer = mem_array_zero(1, sizeof *trainer);
    if (!trainer) {
        return err_oom(err, "training of a tokenizer");
    }
    trainer->options = *options;
    trainer->words = (struct text_index)TEXT_INDEX_INIT(TEXT_BYTES_MAX);
    trainer->tokens = (struct text_index)TEXT_INDEX_INIT(TEXT_BYTES_MAX);
    TRY(make_splits(trainer, err));
    *out = MOVE(trainer);
    return ERR_OK;
}

void bpe_trainer_free(struct bpe_trainer *trainer) {
    if (!trainer) {
        return;
    }
    for (int64_t p = 0; p < trainer->pair_count; p++) {
        mem_free(trainer->pairs[p].pending.words);
    }
    for (int64_t c = 0; c < trainer->heap_count; c++) {
        mem_free(trainer->heap[c].words.words);
    }
    token_splits_free(trainer->splits);
    token_words_deinit(&trainer->cut);
    token_edit_deinit(&trainer->normalized);
    text_index_deinit(&trainer->words);
    text_index_deinit(&trainer->tokens);
    mem_free(trainer->word_counts);
    mem_free(trainer->symbols);
    mem_free(trainer->symbol_begin);
    mem_free(trainer->symbol_count);
    mem_free(trainer->pairs);
    mem_free(trainer->pair_slots);
    mem_free(trainer->touched);
    mem_free(trainer->heap);
    mem_free(trainer->merges);
    mem_free(trainer);
}

/* ---- words ---- */

enum err_code bpe_trainer_add_word(struct bpe_trainer *trainer, const char *word, size_t bytes,
                                   int64_t count, struct error *err) {
    int32_t number = 0;
    int64_t known = trainer->words.count;
    ASSERT(count > 0);
    if (bytes == 0) {
        return ERR_OK;
    }
    TRY(reserve(ARRAY_REF(trainer->word_counts), &trainer->word_capacity, known + 1, err));
    TRY(text_index_add(&trainer->words, word, bytes, &number, err));
    if (number == known) {
        trainer->word_counts[number] = 0;
    }
    trainer->word_counts[number] += count;
    trainer->word_total += count;
    return ERR_OK;
}

static enum err_code normalize(struct bpe_trainer *trainer, struct token_text *text,
                               struct error *err) {
    if (!trainer->needs_nfc || unicode_is_nfc(text->bytes, text->count)) {
        return ERR_OK;
    }
    token_edit_reset(&trainer->normalized);
    TRY(unicode_nfc(text, &trainer->normalized, err));
    *text = token_edit_text(&trainer->normalized);
    return ERR_OK;
}

enum err_code bpe_trainer_add(struct bpe_trainer *trainer, const char *text, size_t bytes,
                              struct error *err) {
    size_t bad = utf8_find_invalid(text, bytes);
    if (bad < bytes) {
        return err_set(err, ERR_DATA, "byte %zu of a text is no UTF-8", bad);
    }
    if (bytes > UINT32_MAX) {
        return err_set(err, ERR_LIMIT, "a text of %zu bytes, at most %" PRIu32, bytes, UINT32_MAX);
    }
    struct token_text whole = token_text_of(text, (uint32_t)bytes, 0);
    TRY(normalize(trainer, &whole, err));
    TRY(token_splits_cut(trainer->splits, &whole, &trainer->cut, err));
    for (int64_t w = 0; w < trainer->cut.count; w++) {
        const struct token_span span = trainer->cut.spans[w];
        TRY(bpe_trainer_add_word(trainer, trainer->cut.text.bytes + span.begin,
                                 span.end - span.begin, 1, err));
    }
    trainer->byte_total += (int64_t)bytes;
    return ERR_OK;
}

/* ---- the first tokens ---- */

/* By letter, not by byte, as the library orders them. */
static enum err_code add_letters(struct bpe_trainer *trainer, struct error *err) {
    for (uint32_t letter = 0; letter < LETTER_END; letter++) {
        for (int32_t byte = 0; byte < BYTE_COUNT; byte++) {
            if (byte_alphabet_letter((uint8_t)byte) == letter) {
                char text[UTF8_BYTES_MAX];
                size_t bytes = utf8_encode(letter, text);
                TRY(text_index_add(&trainer->tokens, text, bytes, &trainer->byte_ids[byte], err));
            }
        }
    }
    return ERR_OK;
}

static enum err_code add_first_tokens(struct bpe_trainer *trainer, struct error *err) {
    for (int64_t s = 0; s < trainer->options.special_count; s++) {
        const char *text = trainer->options.special[s];
        int32_t id = 0;
        TRY(text_index_add(&trainer->tokens, text, strlen(text), &id, err));
    }
    return add_letters(trainer, err);
}

static enum err_code spell_words(struct bpe_trainer *trainer, struct error *err) {
    int64_t words = trainer->words.count, total = 0;
    trainer->symbol_begin = mem_array((size_t)words, sizeof *trainer->symbol_begin);
    trainer->symbol_count = mem_array((size_t)words, sizeof *trainer->symbol_count);
    if (!trainer->symbol_begin || !trainer->symbol_count) {
        return err_oom(err, "training of a tokenizer");
    }
    for (int32_t w = 0; w < words; w++) {
        size_t bytes = text_index_at(&trainer->words, w).count;
        if (bytes > INT32_MAX) {
            return err_set(err, ERR_LIMIT, "a word of %zu bytes", bytes);
        }
        trainer->symbol_begin[w] = total;
        trainer->symbol_count[w] = (int32_t)bytes;
        total += (int64_t)bytes;
    }
    trainer->symbols = mem_array((size_t)total, sizeof *trainer->symbols);
    if (!trainer->symbols) {
        return err_oom(err, "training of a tokenizer");
    }
    for (int32_t w = 0; w < words; w++) {
        const struct text_span word = text_index_at(&trainer->words, w);
        for (size_t b = 0; b < word.count; b++) {
            trainer->symbols[trainer->symbol_begin[w] + (int64_t)b] =
                trainer->byte_ids[(unsigned char)word.bytes[b]];
        }
    }
    return ERR_OK;
}

/* ---- pairs ---- */

static int64_t slot_of(const struct bpe_trainer *trainer, int32_t left, int32_t right) {
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    int64_t mask = trainer->pair_slot_count - 1;
    int64_t slot = (int64_t)(text_fold_mix(key) >> 1) & mask;
    for (; trainer->pair_slots[slot] >= 0; slot = (slot + 1) & mask) {
        const struct pair *pair = &trainer->pairs[trainer->pair_slots[slot]];
        if (pair->left == left && pair->right == right) {
            break;
        }
    }
    return slot;
}

static enum err_code grow_slots(struct bpe_trainer *trainer, struct error *err) {
    if (2 * (trainer->pair_count + 1) <= trainer->pair_slot_count) {
        return ERR_OK;
    }
    int64_t count = trainer->pair_slot_count > 0 ? 2 * trainer->pair_slot_count : 1024;
    int32_t *slots = mem_array((size_t)count, sizeof *slots);
    if (!slots) {
        return err_oom(err, "training of a tokenizer");
    }
    memset(slots, 0xFF, (size_t)count * sizeof *slots); /* -1 */
    mem_free(trainer->pair_slots);
    trainer->pair_slots = slots;
    trainer->pair_slot_count = count;
    for (int64_t p = 0; p < trainer->pair_count; p++) {
        slots[slot_of(trainer, trainer->pairs[p].left, trainer->pairs[p].right)] = (int32_t)p;
    }
    return ERR_OK;
}

static enum err_code find_pair(struct bpe_trainer *trainer, int32_t left, int32_t right,
                               int32_t *out_pair, struct error *err) {
    TRY(grow_slots(trainer, err));
    int64_t slot = slot_of(trainer, left, right);
    if (trainer->pair_slots[slot] < 0) {
        TRY(reserve(ARRAY_REF(trainer->pairs), &trainer->pair_capacity, trainer->pair_count + 1,
                    err));
        trainer->pairs[trainer->pair_count] =
            (struct pair){.left = left, .right = right, .merge = -1};
        trainer->pair_slots[slot] = (int32_t)trainer->pair_count++;
    }
    *out_pair = trainer->pair_slots[slot];
    return ERR_OK;
}

/* Neighbours that are new in a word. */
static enum err_code add_pair(struct bpe_trainer *trainer, int32_t left, int32_t right,
                              int32_t word, struct error *err) {
    int32_t number = 0;
    TRY(find_pair(trainer, left, right, &number, err));
    struct pair *pair = &trainer->pairs[number];
    struct word_list *pending = &pair->pending;
    pair->count += trainer->word_counts[word];
    if (!pair->is_touched) {
        TRY(reserve(ARRAY_REF(trainer->touched), &trainer->touched_capacity,
                    trainer->touched_count + 1, err));
        trainer->touched[trainer->touched_count++] = number;
        pair->is_touched = true;
    }
    if (pending->count > 0 && pending->words[pending->count - 1] == word) {
        return ERR_OK;
    }
    TRY(reserve(ARRAY_REF(pending->words), &pending->capacity, pending->count + 1, err));
    pending->words[pending->count++] = word;
    return ERR_OK;
}

/* Neighbours that are parted by a merge: known pairs all. */
static void drop_pair(struct bpe_trainer *trainer, int32_t left, int32_t right, int32_t word) {
    int32_t number = trainer->pair_slots[slot_of(trainer, left, right)];
    ASSERT(number >= 0);
    trainer->pairs[number].count -= trainer->word_counts[word];
}

/* ---- the queue: a binary heap ---- */

static bool is_before(const struct bpe_trainer *trainer, const struct candidate *a,
                      const struct candidate *b) {
    if (a->count != b->count) {
        return a->count > b->count;
    }
    const struct pair *left = &trainer->pairs[a->pair], *right = &trainer->pairs[b->pair];
    return left->left != right->left ? left->left < right->left : left->right < right->right;
}

static enum err_code push(struct bpe_trainer *trainer, struct candidate candidate,
                          struct error *err) {
    TRY(reserve(ARRAY_REF(trainer->heap), &trainer->heap_capacity, trainer->heap_count + 1, err));
    int64_t at = trainer->heap_count++;
    for (int64_t above = (at - 1) / 2;
         at > 0 && is_before(trainer, &candidate, &trainer->heap[above]); above = (at - 1) / 2) {
        trainer->heap[at] = trainer->heap[above];
        at = above;
    }
    trainer->heap[at] = candidate;
    return ERR_OK;
}

/* Lets the first one sink to its place. */
static void sink(struct bpe_trainer *trainer) {
    struct candidate *heap = trainer->heap;
    struct candidate moving = heap[0];
    int64_t at = 0;
    for (int64_t below = 1; below < trainer->heap_count; below = 2 * at + 1) {
        below +=
            below + 1 < trainer->heap_count && is_before(trainer, &heap[below + 1], &heap[below]);
        if (!is_before(trainer, &heap[below], &moving)) {
            break;
        }
        heap[at] = heap[below];
        at = below;
    }
    heap[at] = moving;
}

static struct candidate pop(struct bpe_trainer *trainer) {
    struct candidate first = trainer->heap[0];
    trainer->heap[0] = trainer->heap[--trainer->heap_count];
    if (trainer->heap_count > 0) {
        sink(trainer);
    }
    return first;
}

/* Queues the pairs that are new somewhere, each with the words in which it is. */
static enum err_code queue_touched(struct bpe_trainer *trainer, struct error *err) {
    for (int64_t t = 0; t < trainer->touched_count; t++) {
        struct pair *pair = &trainer->pairs[trainer->touched[t]];
        pair->is_touched = false;
        if (pair->count <= 0) {
            pair->pending.count = 0;
            continue;
        }
        TRY(push(trainer,
                 (struct candidate){
                     .pair = trainer->touched[t], .count = pair->count, .words = pair->pending},
                 err));
        pair->pending = (struct word_list){.words = NULL};
    }
    trainer->touched_count = 0;
    return ERR_OK;
}

/* ---- merges ---- */

/* Left to right, each occurrence in a word by one token. */
static enum err_code merge_word(struct bpe_trainer *trainer, int32_t word, int32_t left,
                                int32_t right, int32_t token, struct error *err) {
    int32_t *s = trainer->symbols + trainer->symbol_begin[word];
    int32_t count = trainer->symbol_count[word], kept = 0;
    for (int32_t i = 0; i < count;) {
        if (i + 1 == count || s[i] != left || s[i + 1] != right) {
            s[kept++] = s[i++];
            continue;
        }
        if (kept > 0) {
            drop_pair(trainer, s[kept - 1], left, word);
            TRY(add_pair(trainer, s[kept - 1], token, word, err));
        }
        s[kept++] = token;
        i += 2;
        if (i < count) {
            drop_pair(trainer, right, s[i], word);
            TRY(add_pair(trainer, token, s[i], word, err));
        }
    }
    trainer->symbol_count[word] = kept;
    return ERR_OK;
}

/* The token that a pair spells; -1 if that is a special one. */
static enum err_code token_of(struct bpe_trainer *trainer, const struct pair *pair,
                              int32_t *out_token, struct error *err) {
    const struct text_span left = text_index_at(&trainer->tokens, pair->left);
    const struct text_span right = text_index_at(&trainer->tokens, pair->right);
    size_t count = left.count + right.count;
    SCOPED(mem) char *spelling = mem_strjoin(left.bytes, right.bytes);
    if (!spelling) {
        return err_oom(err, "training of a tokenizer");
    }
    TRY(text_index_add(&trainer->tokens, spelling, count, out_token, err));
    if (*out_token < trainer->options.special_count) {
        *out_token = -1;
    }
    return ERR_OK;
}

static enum err_code note_merge(struct bpe_trainer *trainer, struct pair *pair, struct error *err) {
    TRY(reserve(ARRAY_REF(trainer->merges), &trainer->merge_capacity, trainer->merge_count + 1,
                err));
    if (pair->merge >= 0) {
        trainer->merges[pair->merge].left = -1;
    }
    pair->merge = trainer->merge_count;
    trainer->merges[trainer->merge_count++] = (struct token_merge){pair->left, pair->right};
    return ERR_OK;
}

static enum err_code merge_candidate(struct bpe_trainer *trainer, const struct candidate *top,
                                     struct bpe_train_report *report, struct error *err) {
    int32_t token = 0;
    const struct pair pair = trainer->pairs[top->pair]; /* the array may move */
    TRY(token_of(trainer, &pair, &token, err));
    if (token < 0) {
        return ERR_OK;
    }
    TRY(note_merge(trainer, &trainer->pairs[top->pair], err));
    report->last_frequency = top->count;
    for (int64_t w = 0; w < top->words.count; w++) {
        TRY(merge_word(trainer, top->words.words[w], pair.left, pair.right, token, err));
    }
    return queue_touched(trainer, err);
}

/* One step: brings the first count up to date, or merges. */
static enum err_code take_first(struct bpe_trainer *trainer, struct bpe_train_report *report,
                                struct error *err) {
    int64_t count = trainer->pairs[trainer->heap[0].pair].count;
    if (trainer->heap[0].count != count) {
        trainer->heap[0].count = count;
        sink(trainer);
        return ERR_OK;
    }
    int64_t least = trainer->options.min_frequency > 1 ? trainer->options.min_frequency : 1;
    if (count < least) {
        report->ran_out = true;
        return ERR_OK;
    }
    struct candidate top = pop(trainer);
    enum err_code code = merge_candidate(trainer, &top, report, err);
    mem_free(top.words.words);
    return code;
}

static enum err_code make_merges(struct bpe_trainer *trainer, struct bpe_train_report *report,
                                 struct error *err) {
    for (int32_t w = 0; w < trainer->words.count; w++) {
        const int32_t *s = trainer->symbols + trainer->symbol_begin[w];
        for (int32_t i = 0; i + 1 < trainer->symbol_count[w]; i++) {
            TRY(add_pair(trainer, s[i], s[i + 1], w, err));
        }
    }
    TRY(queue_touched(trainer, err));
    while (trainer->tokens.count < trainer->options.vocabulary && !report->ran_out) {
        if (trainer->heap_count == 0) {
            report->ran_out = true;
            break;
        }
        if (trainer->merge_count % INTERRUPT_EVERY == 0 && interrupt_requested()) {
            return err_set(err, ERR_INTERRUPTED, "interrupted after %" PRId64 " merges",
                           trainer->merge_count);
        }
        TRY(take_first(trainer, report, err));
    }
    return ERR_OK;
}

/* ---- the tokenizer ---- */

static void drop_replaced(struct bpe_trainer *trainer) {
    int64_t kept = 0;
    for (int64_t m = 0; m < trainer->merge_count; m++) {
        if (trainer->merges[m].left >= 0) {
            trainer->merges[kept++] = trainer->merges[m];
        }
    }
    trainer->merge_count = kept;
}

static enum err_code make_tokenizer(const struct bpe_trainer *trainer, struct tokenizer **out_tok,
                                    struct error *err) {
    const struct bpe_train_options *options = &trainer->options;
    struct tokenizer_spec spec = TOKENIZER_SPEC_INIT;
    SCOPED(mem)
    const char **tokens = mem_array((size_t)trainer->tokens.count, sizeof *tokens);
    SCOPED(mem)
    struct added_token *added = mem_array_zero((size_t)options->special_count, sizeof *added);
    if (!tokens || !added) {
        return err_oom(err, "training of a tokenizer");
    }
    for (int32_t id = 0; id < trainer->tokens.count; id++) {
        tokens[id] = text_index_at(&trainer->tokens, id).bytes;
    }
    for (int32_t s = 0; s < options->special_count; s++) {
        added[s] = (struct added_token){.text = options->special[s], .id = s, .special = true};
    }
    spec.tokens = tokens;
    spec.token_count = trainer->tokens.count;
    spec.merges = trainer->merges;
    spec.merge_count = trainer->merge_count;
    spec.added = added;
    spec.added_count = options->special_count;
    spec.bos = options->bos; /* special tokens come first: place and id are one */
    spec.eos = options->eos;
    spec.pad = options->pad;
    spec.chat_template = options->chat_template;
    tokenizer_spec_set_byte_level(&spec, options->pattern);
    return tokenizer_new(&spec, out_tok, err);
}

enum err_code bpe_trainer_finish(struct bpe_trainer *trainer, struct tokenizer **out_tok,
                                 struct bpe_train_report *out_report, struct error *err) {
    struct bpe_train_report report = {.bytes = trainer->byte_total,
                                      .words = trainer->word_total,
                                      .distinct_words = trainer->words.count};
    ASSERT(!trainer->symbols);
    if (trainer->words.count == 0) {
        return err_set(err, ERR_DATA, "there is no text to train a tokenizer on");
    }
    TRY(add_first_tokens(trainer, err));
    TRY(spell_words(trainer, err));
    TRY(make_merges(trainer, &report, err));
    drop_replaced(trainer);
    report.merges = trainer->merge_count;
    TRY(make_tokenizer(trainer, out_tok, err));
    *out_report = report;
    return ERR_OK;
}
