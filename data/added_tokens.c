/* added_tokens.c - see added_tokens.h. The texts form a tree, a byte a node. */
#include "data/added_tokens.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "data/unicode_classes.h"

struct node {
    uint32_t child, sibling; /* 0: none */
    int32_t token;           /* that ends here; -1: none */
    char byte;
};

struct flags {
    int32_t id;
    bool special, lstrip, rstrip, single_word;
};

struct added_set {
    struct node *nodes; /* [node_count], the root first */
    uint32_t node_count;
    struct flags *tokens;
    bool first[256]; /* whether a text begins with this byte */
};

static uint32_t child_of(const struct added_set *set, uint32_t node, char byte) {
    uint32_t child = set->nodes[node].child;
    while (child && set->nodes[child].byte != byte) {
        child = set->nodes[child].sibling;
    }
    return child;
}

static void add_text(struct added_set *set, int32_t token, const struct text_span *text) {
    uint32_t node = 0;
    for (size_t i = 0; i < text->count; i++) {
        uint32_t child = child_of(set, node, text->bytes[i]);
        if (!child) {
            child = set->node_count++;
            set->nodes[child] = (struct node){
                .sibling = set->nodes[node].child, .token = -1, .byte = text->bytes[i]};
            set->nodes[node].child = child;
        }
        node = child;
    }
    if (set->nodes[node].token < 0) {
        set->nodes[node].token = token;
    }
    set->first[(unsigned char)text->bytes[0]] = true;
}

static void add_texts(struct added_set *set, const struct added_token *tokens,
                      const struct text_span *texts, int64_t count, bool special) {
    for (int32_t i = 0; i < count; i++) {
        if (tokens[i].special == special && texts[i].count > 0) {
            add_text(set, i, &texts[i]);
        }
    }
}

enum err_code added_set_new(const struct added_token *tokens, const struct text_span *texts,
                            int64_t count, struct added_set **out, struct error *err) {
    SCOPED(added_set) struct added_set *set = mem_array_zero(1, sizeof *set);
    if (!set) {
        return err_oom(err, "added tokens");
    }
    size_t nodes = 1;
    for (int64_t i = 0; i < count; i++) {
        nodes += texts[i].count;
    }
    if (nodes > INT32_MAX) {
        return err_set(err, ERR_LIMIT, "added tokens: %zu bytes of text", nodes);
    }
    set->nodes = mem_array(nodes, sizeof *set->nodes);
    set->tokens = mem_array((size_t)count, sizeof *set->tokens);
    if (!set->nodes || !set->tokens) {
        return err_oom(err, "added tokens");
    }
    set->nodes[0] = (struct node){.token = -1};
    set->node_count = 1;
    for (int64_t i = 0; i < count; i++) {
        set->tokens[i] = (struct flags){.id = tokens[i].id,
                                        .special = tokens[i].special,
                                        .lstrip = tokens[i].lstrip,
                                        .rstrip = tokens[i].rstrip,
                                        .single_word = tokens[i].single_word};
    }
    add_texts(set, tokens, texts, count, true);
    add_texts(set, tokens, texts, count, false);
    *out = MOVE(set);
    return ERR_OK;
}

void added_set_free(struct added_set *set) {
    if (set) {
        mem_free(set->nodes);
        mem_free(set->tokens);
        mem_free(set);
    }
}

/* The longest text that begins at `at`: its token, or -1, and its end. */
static int32_t match_at(const struct added_set *set, const struct added_search *search, uint32_t at,
                        uint32_t *out_end) {
    int32_t token = -1;
    uint32_t node = 0;
    while (at < search->count && (node = child_of(set, node, search->text[at])) != 0) {
        at++;
        if (set->nodes[node].token >= 0) {
            token = set->nodes[node].token;
            *out_end = at;
        }
    }
    return token;
}

static struct unicode_char char_before(const char *text, uint32_t at) {
    do {
        at--;
    } while (((unsigned char)text[at] & 0xC0) == 0x80);
    return unicode_char_at(text + at);
}

static bool is_single_word(const struct added_search *search, uint32_t begin, uint32_t end) {
    bool joins_left = begin > 0 && (char_before(search->text, begin).flags & UNICODE_WORD);
    bool joins_right =
        end < search->count && (unicode_char_at(search->text + end).flags & UNICODE_WORD);
    return !joins_left && !joins_right;
}

static uint32_t blanks_before(const struct added_search *search, uint32_t at) {
    while (at > search->free_from) {
        struct unicode_char c = char_before(search->text, at);
        if (!(c.flags & UNICODE_SPACE)) {
            break;
        }
        at -= c.bytes;
    }
    return at;
}

static uint32_t blanks_after(const struct added_search *search, uint32_t at) {
    while (at < search->count) {
        struct unicode_char c = unicode_char_at(search->text + at);
        if (!(c.flags & UNICODE_SPACE)) {
            break;
        }
        at += c.bytes;
    }
    return at;
}

/* The next match from search->at on, passing over bytes that begin none. */
static int32_t next_match(const struct added_set *set, struct added_search *search,
                          uint32_t *out_begin, uint32_t *out_end) {
    const unsigned char *text = (const unsigned char *)search->text;
    uint32_t at = search->at;
    for (; at < search->count; at++) {
        if (!set->first[text[at]]) {
            continue;
        }
        int32_t token = match_at(set, search, at, out_end);
        if (token >= 0) {
            *out_begin = at;
            search->at = *out_end;
            return token;
        }
    }
    search->at = at;
    return -1;
}

bool added_set_next(const struct added_set *set, struct added_search *search,
                    struct added_cut *out) {
    uint32_t begin = 0;
    uint32_t end = 0;
    for (int32_t i; (i = next_match(set, search, &begin, &end)) >= 0;) {
        const struct flags *token = &set->tokens[i];
        if ((token->special && search->as_text) ||
            (token->single_word && !is_single_word(search, begin, end))) {
            continue;
        }
        if (token->special && search->allows && !search->allows(search->context, begin, end)) {
            search->at = begin + 1;
            continue;
        }
        out->id = token->id;
        out->begin = token->lstrip ? blanks_before(search, begin) : begin;
        out->end = token->rstrip ? blanks_after(search, end) : end;
        search->free_from = out->end;
        return true;
    }
    return false;
}
