/* json_writer.c - see json_writer.h.
 *
 * The structure is tracked after a failure too, so misuse is found in every run, not only in those
 * that go well.
 */
#include "base/json_writer.h"

#include "base/byte_run.h"
#include "base/invariant.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- failures --- */

static ERR_FORMAT(2, 3) void fail(struct json_writer *w, const char *fmt, ...) {
    if (w->failure.code != ERR_OK || w->out->failure != ERR_OK) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    char message[ERR_MSG_BYTES];
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    (void)err_set(&w->failure, ERR_DATA, "cannot write JSON: %s", message);
    if (w->key_length > 0) {
        char key[UTF8_EXCERPT_BYTES];
        (void)utf8_excerpt(w->out->bytes + w->key_start, w->key_length, key);
        (void)err_set(&w->failure, ERR_DATA, "cannot write JSON: '%s': %s", key, message);
    }
}

/* --- structure --- */

static bool in_object(const struct json_writer *w) {
    return w->depth > 0 && w->is_object[w->depth - 1];
}

static void new_line(struct json_writer *w) {
    if (w->layout == JSON_INDENTED) {
        strbuf_add_char(w->out, '\n');
        strbuf_add_repeated(w->out, ' ', 2 * (size_t)w->depth);
    }
}

/* What stands before a key or an array element. */
static void separate(struct json_writer *w) {
    if (!w->container_empty) {
        strbuf_add_char(w->out, ',');
    }
    w->container_empty = false;
    new_line(w);
}

static void begin_value(struct json_writer *w) {
    ASSERT(!w->complete);
    if (in_object(w)) {
        ASSERT(w->key_pending);
        w->key_pending = false;
    } else if (w->depth > 0) {
        separate(w);
    }
}

static void end_value(struct json_writer *w) {
    w->complete = w->depth == 0;
}

static void begin_container(struct json_writer *w, bool is_object) {
    begin_value(w);
    ASSERT_LT(w->depth, JSON_DEPTH_CAP);
    w->is_object[w->depth++] = is_object;
    w->container_empty = true;
    strbuf_add_char(w->out, is_object ? '{' : '[');
}

static void end_container(struct json_writer *w, bool is_object) {
    ASSERT_LT(0, w->depth);
    ASSERT_EQ(in_object(w), is_object);
    ASSERT(!w->key_pending);
    w->depth--;
    if (!w->container_empty) {
        new_line(w);
    }
    strbuf_add_char(w->out, is_object ? '}' : ']');
    w->container_empty = false;
    w->key_length = 0;
    end_value(w);
}

void json_write_object_begin(struct json_writer *w) {
    begin_container(w, true);
}

void json_write_object_end(struct json_writer *w) {
    end_container(w, true);
}

void json_write_array_begin(struct json_writer *w) {
    begin_container(w, false);
}

void json_write_array_end(struct json_writer *w) {
    end_container(w, false);
}

/* --- text --- */

static void add_escaped(struct strbuf *out, char c) {
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = memchr(plain, c, sizeof plain - 1);
    if (found) {
        const char pair[] = {'\\', letters[found - plain]};
        strbuf_add_bytes(out, pair, sizeof pair);
    } else {
        strbuf_addf(out, "\\u%04x", (unsigned)c);
    }
}

static void add_quoted(struct json_writer *w, const char *bytes, size_t count) {
    size_t invalid = utf8_find_invalid(bytes, count);
    if (invalid < count) {
        fail(w, "invalid UTF-8 at byte %zu of a string", invalid);
    }
    if (w->failure.code != ERR_OK) {
        return;
    }
    strbuf_add_char(w->out, '"');
    for (size_t at = 0; at < count; at++) {
        size_t plain = byte_run_plain(bytes + at, count - at);
        strbuf_add_bytes(w->out, bytes + at, plain);
        at += plain;
        if (at < count) {
            add_escaped(w->out, bytes[at]);
        }
    }
    strbuf_add_char(w->out, '"');
}

void json_write_key(struct json_writer *w, const char *key) {
    ASSERT(in_object(w));
    ASSERT(!w->key_pending);
    separate(w);
    w->key_length = 0;
    size_t start = w->out->length;
    add_quoted(w, key, strlen(key));
    if (w->failure.code == ERR_OK && w->out->failure == ERR_OK) {
        w->key_start = start + 1;
        w->key_length = w->out->length - start - 2;
    }
    strbuf_add(w->out, w->layout == JSON_INDENTED ? ": " : ":");
    w->key_pending = true;
}

void json_write_string(struct json_writer *w, const char *text) {
    json_write_string_bytes(w, text, strlen(text));
}

void json_write_string_bytes(struct json_writer *w, const char *bytes, size_t count) {
    begin_value(w);
    add_quoted(w, bytes, count);
    end_value(w);
}

/* --- numbers and literals --- */

static void write_literal(struct json_writer *w, const char *text) {
    begin_value(w);
    strbuf_add(w->out, text);
    end_value(w);
}

void json_write_i64(struct json_writer *w, int64_t value) {
    bool exact = value >= -JSON_INT_MAX && value <= JSON_INT_MAX;
    begin_value(w);
    strbuf_addf(w->out, exact ? "%" PRId64 : "\"%" PRId64 "\"", value);
    end_value(w);
}

void json_write_u64(struct json_writer *w, uint64_t value) {
    bool exact = value <= (uint64_t)JSON_INT_MAX;
    begin_value(w);
    strbuf_addf(w->out, exact ? "%" PRIu64 : "\"%" PRIu64 "\"", value);
    end_value(w);
}

void json_write_f64(struct json_writer *w, double value) {
    if (!isfinite(value)) {
        fail(w, "%s is not a JSON number", isnan(value) ? "nan" : value > 0.0 ? "inf" : "-inf");
        value = 0.0;
    }
    char text[JSON_F64_BYTES];
    write_literal(w, json_format_f64(value, text));
}

void json_write_f64_point(struct json_writer *w, double value) {
    if (!isfinite(value)) {
        json_write_f64(w, value);
        return;
    }
    char digits[JSON_F64_BYTES];
    char text[JSON_F64_BYTES + 2];
    (void)json_format_f64(value, digits);
    (void)snprintf(text, sizeof text, "%s%s", digits, strpbrk(digits, ".e") ? "" : ".0");
    write_literal(w, text);
}

void json_write_f64_or_null(struct json_writer *w, double value) {
    if (isfinite(value)) {
        json_write_f64(w, value);
    } else {
        json_write_null(w);
    }
}

void json_write_bool(struct json_writer *w, bool value) {
    write_literal(w, value ? "true" : "false");
}

void json_write_null(struct json_writer *w) {
    write_literal(w, "null");
}

/* --- a key and its value --- */

void json_put_object_begin(struct json_writer *w, const char *key) {
    json_write_key(w, key);
    json_write_object_begin(w);
}

void json_put_array_begin(struct json_writer *w, const char *key) {
    json_write_key(w, key);
    json_write_array_begin(w);
}

void json_put_string(struct json_writer *w, const char *key, const char *text) {
    json_write_key(w, key);
    json_write_string(w, text);
}

void json_put_string_or_null(struct json_writer *w, const char *key, const char *text_or_null) {
    if (text_or_null) {
        json_put_string(w, key, text_or_null);
    } else {
        json_put_null(w, key);
    }
}

void json_put_i64(struct json_writer *w, const char *key, int64_t value) {
    json_write_key(w, key);
    json_write_i64(w, value);
}

void json_put_u64(struct json_writer *w, const char *key, uint64_t value) {
    json_write_key(w, key);
    json_write_u64(w, value);
}

void json_put_f64(struct json_writer *w, const char *key, double value) {
    json_write_key(w, key);
    json_write_f64(w, value);
}

void json_put_f64_or_null(struct json_writer *w, const char *key, double value) {
    json_write_key(w, key);
    json_write_f64_or_null(w, value);
}

void json_put_bool(struct json_writer *w, const char *key, bool value) {
    json_write_key(w, key);
    json_write_bool(w, value);
}

void json_put_null(struct json_writer *w, const char *key) {
    json_write_key(w, key);
    json_write_null(w);
}

/* --- the end --- */

enum err_code json_writer_finish(struct json_writer *w, struct error *err) {
    ASSERT(w->complete);
    TRY(strbuf_check(w->out, "JSON text", err));
    return w->failure.code == ERR_OK ? ERR_OK : err_set(err, w->failure.code, "%s", w->failure.msg);
}

const char *json_format_f64(double value, char out[JSON_F64_BYTES]) {
    ASSERT(isfinite(value));
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, JSON_F64_BYTES, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            break;
        }
    }
    return out;
}
