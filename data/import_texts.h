/* import_texts.h - texts that another file refers to by id: `--texts args.jsonl`.
 *
 * Use:      SCOPED(import_texts) struct import_texts *texts = NULL;
 *           TRY(import_texts_open("args.jsonl", &texts, err));
 *           const struct import_text *text = import_texts_find(texts, &cell);   // NULL: no such id
 * Accepts:  JSON objects with `id` (a string or an integer), `text` or `name` or `title`, and,
 * where they have them, `author` or `origin` or `model`, and `topic`; CSV and TSV with such
 *           columns, or with `id` and one other column. Plain or gzip.
 * Errors:   as input_stream_open; ERR_DATA with file and line for a row without id or text, and for
 *           an id that comes twice; ERR_DATA beyond IMPORT_TEXTS_BYTES_MAX.
 * Owns:     all texts, until closed.
 * Cost:     O(log n) an id.
 * Threads:  read-only once open.
 */
#ifndef DATA_IMPORT_TEXTS_H
#define DATA_IMPORT_TEXTS_H

#include "base/arena.h"
#include "base/error.h"
#include "data/text_span.h"

#include <stdint.h>

#define IMPORT_TEXTS_BYTES_MAX (1 * GIB)

struct import_texts;

struct import_text {
    struct text_span id;
    struct text_span text;
    struct text_span origin, topic; /* may be absent */
    int64_t line;
};

ERR_NODISCARD enum err_code import_texts_open(const char *path, struct import_texts **out_texts,
                                              struct error *err);

/* Keys or columns by other names: lists that end with NULL, the first that is there counts. */
struct import_text_names {
    const char *const *id, *const *text, *const *origin, *const *topic;
};

ERR_NODISCARD enum err_code import_texts_open_named(const char *path,
                                                    const struct import_text_names *names,
                                                    struct import_texts **out_texts,
                                                    struct error *err);
void import_texts_close(struct import_texts *texts);

int64_t import_texts_count(const struct import_texts *texts);

/* Borrowed until closed. */
const struct import_text *import_texts_find(const struct import_texts *texts,
                                            const struct text_span *id);

/* ERR_DATA if two ids have the same text: as names of items they would become one. */
ERR_NODISCARD enum err_code import_texts_check_distinct(const struct import_texts *texts,
                                                        struct error *err);

static inline void import_texts_scoped_end(struct import_texts **texts) {
    import_texts_close(*texts);
}

#endif
