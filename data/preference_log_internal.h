/* preference_log_internal.h - what the preference_log*.c files share; included by nobody else. */
#ifndef DATA_PREFERENCE_LOG_INTERNAL_H
#define DATA_PREFERENCE_LOG_INTERNAL_H

#include "base/strbuf.h"
#include "data/preference_log.h"

#define PREFERENCE_LOG_STATEMENTS(X)                                                              \
    X(SOURCE_BEGIN, "INSERT INTO source(path, sha256, bytes, format, mapping, rows, rejected,"    \
                    " imported_at) VALUES (?1, zeroblob(32), 0, ?2, ?3, 0, 0, ?4)")               \
    X(SOURCE_END, "UPDATE source SET sha256 = ?2, bytes = ?3, rows = ?4, rejected = ?5"           \
                  " WHERE id = ?1")                                                               \
    X(ANNOTATOR_FIND, "SELECT id, population FROM annotator WHERE name = ?1")                     \
    X(ANNOTATOR_ADD, "INSERT INTO annotator(name, population) VALUES (?1, ?2)")                   \
    X(ANNOTATOR_PLACE, "UPDATE annotator SET population = ?2 WHERE id = ?1")                      \
    X(PROMPT_ADD, "INSERT INTO prompt(hash, kind, content, topic) VALUES (?1, ?2, ?3, ?4)"        \
                  " ON CONFLICT (hash) DO NOTHING")                                               \
    X(PROMPT_FIND, "SELECT id, topic IS NOT NULL FROM prompt WHERE hash = ?1")                    \
    X(PROMPT_TOPIC, "UPDATE prompt SET topic = ?2 WHERE id = ?1")                                 \
    X(RESPONSE_ADD, "INSERT INTO response(prompt_id, hash, kind, content, origin)"                \
                    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (prompt_id, hash) DO NOTHING")      \
    X(RESPONSE_FIND, "SELECT id FROM response WHERE prompt_id = ?1 AND hash = ?2")                \
    X(COMPARISON_ADD, "INSERT INTO comparison(prompt_id, annotator_id, source_id, line, weight,"  \
                      " margin, last_unordered, aspect, asked_at)"                                \
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                             \
    X(COMPARISON_ITEM_ADD, "INSERT INTO comparison_item(comparison_id, slot, response_id, rank,"  \
                           " position) VALUES (?1, ?2, ?3, ?4, ?5)")                              \
    X(RATING_ADD, "INSERT INTO rating(response_id, annotator_id, source_id, line, weight, value," \
                  " low, high, aspect, asked_at)"                                                 \
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")                            \
    X(LABEL_ADD, "INSERT INTO label(response_id, annotator_id, source_id, line, weight, good,"    \
                 " aspect, asked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                    \
    X(DEMONSTRATION_ADD, "INSERT INTO demonstration(response_id, annotator_id, source_id, line,"  \
                         " weight, asked_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                    \
    X(PROMPT_ONLY_ADD, "INSERT INTO prompt_only(prompt_id, source_id, line, weight)"              \
                       " VALUES (?1, ?2, ?3, ?4)")                                                \
    X(OWNER_FIND, "SELECT id, payee_ref, cluster FROM owner WHERE name = ?1")                     \
    X(OWNER_ADD, "INSERT INTO owner(name, payee_ref, cluster) VALUES (?1, ?2, ?3)")               \
    X(OWNER_COMPLETE, "UPDATE owner SET payee_ref = coalesce(payee_ref, ?2),"                     \
                      " cluster = coalesce(cluster, ?3) WHERE name = ?1")                         \
    X(WORK_FIND, "SELECT id, licence FROM work WHERE owner_id = ?1 AND sha256 = ?2")              \
    X(WORK_ADD, "INSERT INTO work(owner_id, source_id, line, title, sha256, bytes, licence,"      \
                " opt_out_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                           \
    X(WORK_COMPLETE, "UPDATE work SET licence = coalesce(licence, ?2),"                           \
                     " opt_out_at = min(coalesce(opt_out_at, ?3), coalesce(?3, opt_out_at))"      \
                     " WHERE id = ?1")                                                            \
    X(WORK_TEXT_ADD, "INSERT INTO work_text(work_id, content) VALUES (?1, ?2)")

enum preference_log_statement {
#define PREFERENCE_LOG_ENUM(name, sql) STMT_##name,
    PREFERENCE_LOG_STATEMENTS(PREFERENCE_LOG_ENUM)
#undef PREFERENCE_LOG_ENUM
        STMT_COUNT
};

/* Something met lately, found by its key without asking the database. Whoever comes later to the
 * same slot replaces it. */
struct preference_log_memo {
    struct hash_key key;
    int64_t scope; /* of a response: its prompt; else 0 */
    int64_t id;    /* 0: empty */
    bool complete; /* of a prompt: its topic is known */
};

#define PREFERENCE_LOG_MEMOS 32768 /* 1.3 MB */

struct preference_log {
    struct db *db; /* borrowed */
    struct db_stmt *statements[STMT_COUNT];
    struct preference_log_memo *prompts, *responses, *annotators; /* [PREFERENCE_LOG_MEMOS] */
    bool has_met;                                                 /* they may hold something */
    struct strbuf json; /* of the messages of one prompt or response */
    int64_t source_id;  /* 0: none begun */
    char *source_path, *source_format, *source_mapping;
};

/* ---- values; an absent one is NULL; texts are borrowed until the statement is reset ---- */

void preference_log_bind_text(struct db_stmt *stmt, int parameter, const struct text_span *text);
void preference_log_bind_string(struct db_stmt *stmt, int parameter, const char *text);
void preference_log_bind_i64(struct db_stmt *stmt, int parameter, bool has, int64_t value);

/* Borrowed until the statement goes on. */
ERR_NODISCARD enum err_code preference_log_column_text(struct db_stmt *stmt, int column,
                                                       struct text_span *out_text,
                                                       struct error *err);

/* A field of something named: the "population" of the "annotator" "rater-7". */
struct preference_log_field {
    const char *field, *thing;
    const struct text_span *name;
};

/* ERR_DATA if what is said now contradicts what was said before; saying nothing does not. */
ERR_NODISCARD enum err_code preference_log_check_same(const struct preference_log_field *field,
                                                      const struct text_span *before,
                                                      const struct text_span *now,
                                                      struct error *err);

#endif
