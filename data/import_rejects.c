/* import_rejects.c - see import_rejects.h. */
#include "data/import_rejects.h"

#include "base/json_writer.h"
#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define PATH_BYTES  4096

/* Where an error says that a row is wrong. */
struct place {
    int64_t line, column; /* 0: not said */
    const char *reason;
};

/* ":17" at `*at`, which moves behind it; 0 if it is not there. */
static int64_t take_number(const char **at) {
    const char *c = *at;
    int64_t number = 0;
    if (*c++ != ':') {
        return 0;
    }
    while (*c >= '0' && *c <= '9' && number < INT64_MAX / 16) {
        number = number * 10 + (*c++ - '0');
    }
    *at = number > 0 ? c : *at;
    return number;
}

static struct place place_of(const struct import_reject *reject) {
    struct place place = {.line = reject->line, .reason = reject->message};
    size_t length = strlen(reject->file);
    if (strncmp(reject->message, reject->file, length) != 0) {
        return place;
    }
    const char *at = reject->message + length;
    int64_t line = take_number(&at);
    int64_t column = line > 0 ? take_number(&at) : 0;
    if (strncmp(at, ": ", 2) == 0) {
        place.line = line > 0 ? line : place.line;
        place.column = column;
        place.reason = at + 2;
    }
    return place;
}

/* As much of a row as is kept, as UTF-8 without NUL. */
static void clean_row(const struct text_span *row, struct strbuf *out) {
    size_t count = row->count < IMPORT_REJECT_BYTES_MAX ? row->count : IMPORT_REJECT_BYTES_MAX;
    const char *at = row->bytes, *end = row->bytes + count;
    strbuf_reset(out);
    while (at < end) {
        size_t good = utf8_find_invalid(at, (size_t)(end - at));
        const char *nul = memchr(at, '\0', good);
        good = nul ? (size_t)(nul - at) : good;
        strbuf_add_bytes(out, at, good);
        at += good;
        if (at < end) {
            strbuf_add(out, REPLACEMENT);
            at++;
        }
    }
}

enum err_code import_rejects_open(const char *path, struct import_rejects *out, struct error *err) {
    return file_atomic_open(path, &out->file, err);
}

enum err_code import_rejects_add(struct import_rejects *rejects, const struct import_reject *reject,
                                 struct error *err) {
    struct place place = place_of(reject);
    char file[PATH_BYTES], reason[2 * ERR_MSG_BYTES];
    strbuf_reset(&rejects->line);
    struct json_writer w = JSON_WRITER_INIT(&rejects->line, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_string(&w, "file",
                    utf8_visible(reject->file, strlen(reject->file), file, sizeof file));
    if (place.line > 0) {
        json_put_i64(&w, "line", place.line);
    }
    if (place.column > 0) {
        json_put_i64(&w, "column", place.column);
    }
    json_put_string(&w, "reason",
                    utf8_visible(place.reason, strlen(place.reason), reason, sizeof reason));
    json_write_key(&w, "row");
    if (text_span_is_set(&reject->row)) {
        clean_row(&reject->row, &rejects->row);
        TRY(strbuf_check(&rejects->row, "a row that is left out", err));
        json_write_string_bytes(&w, strbuf_text(&rejects->row), rejects->row.length);
    } else {
        json_write_null(&w);
    }
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&rejects->line, '\n');
    TRY(strbuf_check(&rejects->line, "a row that is left out", err));
    return file_atomic_write(&rejects->file, strbuf_text(&rejects->line), rejects->line.length,
                             err);
}

enum err_code import_rejects_commit(struct import_rejects *rejects, struct error *err) {
    return file_atomic_commit(&rejects->file, err);
}

void import_rejects_close(struct import_rejects *rejects) {
    file_atomic_close(&rejects->file);
    strbuf_deinit(&rejects->line);
    strbuf_deinit(&rejects->row);
}
