/* json_writer.h - JSON text, written value by value.
 *
 * Use:      SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1 * MIB);
 *           struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
 *           json_write_object_begin(&w);
 *           json_put_f64(&w, "loss", loss);
 *           json_write_object_end(&w);
 *           TRY(json_writer_finish(&w, err));
 *
 *           Text that is not UTF-8 and numbers that are not finite mark the writer as failed; so
 *           does a full buffer. The first failure waits for json_writer_finish, and until then the
 *           text must not be used. One writer writes one value; a line of a JSON-lines file is a
 *           writer of its own on the same buffer, and adds its line end itself.
 * Misuse:   a value without its key, a key in an array, an end without its begin: ASSERT.
 * Numbers:  an integer beyond +-(2^53 - 1) becomes a decimal string, as json.h reads it; a double
 *           takes the fewest of 15, 16 or 17 digits that read back to the same double.
 * Owns:     nothing; the buffer is borrowed for the writer's life.
 * Threads:  no state.
 */
#ifndef BASE_JSON_WRITER_H
#define BASE_JSON_WRITER_H

#include "base/error.h"
#include "base/json.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_layout {
    JSON_COMPACT,  /* {"a":[1,2]} */
    JSON_INDENTED, /* one value a line, two spaces a level, "key": value */
};

struct json_writer {
    struct strbuf *out;
    enum json_layout layout;
    int64_t depth;
    bool is_object[JSON_DEPTH_CAP]; /* a flag per open container */
    bool container_empty;           /* the innermost one has no value yet */
    bool key_pending;               /* a key waits for its value */
    bool complete;                  /* the one top-level value is written */
    size_t key_start, key_length;   /* in `out`: key of the value being written; length 0: none */
    struct error failure;
};

#define JSON_WRITER_INIT(buffer, json_layout) \
    { .out = (buffer), .layout = (json_layout) }

void json_write_object_begin(struct json_writer *w);
void json_write_object_end(struct json_writer *w);
void json_write_array_begin(struct json_writer *w);
void json_write_array_end(struct json_writer *w);

/* UTF-8. A NUL among the bytes, which a model may well say, becomes \u0000: JSON, though json.h
 * refuses to read it. */
void json_write_key(struct json_writer *w, const char *key);
void json_write_string(struct json_writer *w, const char *text);
void json_write_string_bytes(struct json_writer *w, const char *bytes, size_t count);

void json_write_i64(struct json_writer *w, int64_t value);
void json_write_u64(struct json_writer *w, uint64_t value);
void json_write_f64(struct json_writer *w, double value);
void json_write_f64_point(struct json_writer *w, double value);   /* 8.0, not 8: for readers whose
                                                                     types differ by that */
void json_write_f64_or_null(struct json_writer *w, double value); /* null when not finite */
void json_write_bool(struct json_writer *w, bool value);
void json_write_null(struct json_writer *w);

/* A key and its value at once. */
void json_put_object_begin(struct json_writer *w, const char *key);
void json_put_array_begin(struct json_writer *w, const char *key);
void json_put_string(struct json_writer *w, const char *key, const char *text);
void json_put_string_or_null(struct json_writer *w, const char *key, const char *text_or_null);
void json_put_i64(struct json_writer *w, const char *key, int64_t value);
void json_put_u64(struct json_writer *w, const char *key, uint64_t value);
void json_put_f64(struct json_writer *w, const char *key, double value);
void json_put_f64_or_null(struct json_writer *w, const char *key, double value);
void json_put_bool(struct json_writer *w, const char *key, bool value);
void json_put_null(struct json_writer *w, const char *key);

/* ERR_OK when one whole value stands in the buffer; else the first failure: ERR_DATA (not UTF-8,
 * not finite, with the key), ERR_LIMIT or ERR_OOM (the buffer's). */
ERR_NODISCARD enum err_code json_writer_finish(struct json_writer *w, struct error *err);

#define JSON_F64_BYTES 32

/* A finite double as JSON text; the process stays in the "C" locale. Returns `out`. */
const char *json_format_f64(double value, char out[JSON_F64_BYTES]);

#endif
