/* pair_texts.c - see pair_texts.h. */
#include "reward/pair_texts.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "reward/pair_table.h"

#include <string.h>

#define ANSWER_BYTES_MAX (64 * MIB)

/* An answer of several turns reads as its turns, one below the other. */
static enum err_code add_turns(struct text_features *features, const char *json, size_t bytes,
                               struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(json, bytes, "response", NULL, &doc, err));
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(ANSWER_BYTES_MAX);
    const struct json_node *message = json_first(json_root(doc));
    for (; message; message = json_next(message)) {
        const char *content = NULL;
        TRY(json_get_string(doc, message, "content", &content, err));
        strbuf_add(&text, content);
        strbuf_add_char(&text, '\n');
    }
    TRY(strbuf_check(&text, "an answer", err));
    return text_features_add(features, strbuf_text(&text), text.length, err);
}

static enum err_code add_response(struct text_features *features, struct db_stmt *stmt, int64_t id,
                                  struct error *err) {
    db_bind_i64(stmt, 1, id);
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (!has_row) {
        return err_set(err, ERR_INTERNAL, "a response of a comparison is gone");
    }
    const char *text = NULL;
    size_t bytes = 0;
    int64_t has_turns = 0;
    TRY(db_column_text(stmt, 0, &text, &bytes, err));
    TRY(db_column_i64(stmt, 1, &has_turns, err));
    TRY(has_turns ? add_turns(features, text, bytes, err)
                  : text_features_add(features, text, bytes, err));
    db_stmt_reset(stmt);
    return ERR_OK;
}

static enum err_code refuse_items(struct db *db, const struct comparison_set *set,
                                  struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, "SELECT content FROM prompt WHERE id = ?1 AND kind = 'items'", &stmt,
                     err));
    for (int64_t b = 0; b < set->block_count; b++) {
        bool has_row = false;
        db_bind_i64(stmt, 1, set->block_prompt_ids[b]);
        TRY(db_stmt_step(stmt, &has_row, err));
        if (has_row) {
            const char *name = NULL;
            size_t bytes = 0;
            char excerpt[UTF8_EXCERPT_BYTES];
            TRY(db_column_text(stmt, 0, &name, &bytes, err));
            return err_set(err, ERR_DATA,
                           "'%s' is a set of items without text, which has no words to learn from; "
                           "choose other prompts with --topic",
                           utf8_excerpt(name, bytes, excerpt));
        }
        db_stmt_reset(stmt);
    }
    return ERR_OK;
}

static enum err_code load_features(struct db *db, const struct comparison_set *set,
                                   struct text_features **out_features, struct error *err) {
    SCOPED(text_features) struct text_features *features = NULL;
    TRY(text_features_new(&features, err));
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, "SELECT content, kind = 'chat' FROM response WHERE id = ?1", &stmt, err));
    for (int64_t i = 0; i < set->item_count; i++) {
        TRY(add_response(features, stmt, set->item_response_ids[i], err));
    }
    *out_features = MOVE(features);
    return ERR_OK;
}

/* Adds a cell of the table, to the pair before if that has the same items: cells differ in who was
 * shown first, and come together. */
static void add_cell(struct pair_texts *texts, const struct comparison_set *set,
                     const struct pair_table *table, int32_t item, int64_t cell) {
    int64_t last = texts->count - 1;
    bool is_same =
        last >= 0 && texts->first[last] == item && texts->second[last] == table->others[cell];
    int64_t p = is_same ? last : texts->count++;
    if (!is_same) {
        texts->first[p] = item;
        texts->second[p] = table->others[cell];
        texts->blocks[p] = set->item_blocks[item];
        texts->wins_first[p] = 0.0;
        texts->wins_second[p] = 0.0;
        texts->ties[p] = 0.0;
    }
    texts->wins_first[p] += table->wins[cell];
    texts->wins_second[p] += table->losses[cell];
    texts->ties[p] += table->ties[cell];
}

static enum err_code load_pairs(const struct comparison_set *set, struct pair_texts *texts,
                                struct error *err) {
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    TRY(pair_table_build(set, PAIR_TIES_KEEP, &table, err));
    size_t cells = (size_t)table.count;
    texts->first = mem_array(cells, sizeof *texts->first);
    texts->second = mem_array(cells, sizeof *texts->second);
    texts->blocks = mem_array(cells, sizeof *texts->blocks);
    texts->wins_first = mem_array(cells, sizeof *texts->wins_first);
    texts->wins_second = mem_array(cells, sizeof *texts->wins_second);
    texts->ties = mem_array(cells, sizeof *texts->ties);
    if (!texts->first || !texts->second || !texts->blocks || !texts->wins_first ||
        !texts->wins_second || !texts->ties) {
        return err_oom(err, "pairs of texts");
    }
    for (int64_t i = 0; i < table.item_count; i++) {
        for (int64_t c = table.starts[i]; c < table.starts[i + 1]; c++) {
            add_cell(texts, set, &table, (int32_t)i, c);
        }
    }
    return ERR_OK;
}

enum err_code pair_texts_load(struct db *db, const struct comparison_set *set,
                              struct pair_texts *out_texts, struct error *err) {
    SCOPED(pair_texts) struct pair_texts texts = PAIR_TEXTS_INIT;
    TRY(refuse_items(db, set, err));
    TRY(load_features(db, set, &texts.features, err));
    TRY(load_pairs(set, &texts, err));
    *out_texts = texts;
    texts = (struct pair_texts)PAIR_TEXTS_INIT;
    return ERR_OK;
}

void pair_texts_deinit(struct pair_texts *texts) {
    text_features_free(texts->features);
    mem_free(texts->first);
    mem_free(texts->second);
    mem_free(texts->blocks);
    mem_free(texts->wins_first);
    mem_free(texts->wins_second);
    mem_free(texts->ties);
    *texts = (struct pair_texts)PAIR_TEXTS_INIT;
}
