/* output.c - see output.h. */
#include "trainer/output.h"

#include "base/file.h"
#include "base/json_writer.h"
#include "base/scoped.h"
#include "base/utf8.h"
#include "trainer/exit_status.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERROR_TEXT_MAX (16 * KIB)

void output_add_visible(struct strbuf *out, const char *bytes, size_t count) {
    while (count > 0) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(bytes, count, &code_point);
        if (length == 0 || utf8_is_control(code_point)) {
            strbuf_addf(out, "\\x%02x", (unsigned char)*bytes);
            length = 1;
        } else {
            strbuf_add_bytes(out, bytes, length);
        }
        bytes += length;
        count -= length;
    }
}

void output_add_visible_text(struct strbuf *out, const char *text) {
    output_add_visible(out, text, strlen(text));
}

static enum err_code build_error_json(struct strbuf *out, const struct error *failure,
                                      const char *message, struct error *err) {
    struct json_writer w = JSON_WRITER_INIT(out, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_object_begin(&w, "error");
    json_put_string(&w, "code", err_name(failure->code));
    json_put_i64(&w, "exit_status", exit_status_of(failure->code));
    json_put_string(&w, "message", message);
    json_write_object_end(&w);
    json_write_object_end(&w);
    strbuf_add_char(out, '\n');
    return json_writer_finish(&w, err);
}

static enum err_code print_error(struct output *output, const struct error *failure,
                                 struct error *err) {
    SCOPED(strbuf) struct strbuf message = STRBUF_INIT(ERROR_TEXT_MAX);
    output_add_visible_text(&message, failure->msg); /* it may quote any byte of an argument */
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(2 * ERROR_TEXT_MAX);
    if (output->json && !output->printed) {
        TRY(build_error_json(&text, failure, strbuf_text(&message), err));
        return output_text(output, &text, err);
    }
    strbuf_addf(&text, "accord: %s\n", strbuf_text(&message));
    TRY(strbuf_check(&text, "error message", err));
    return file_write(STDERR_FILENO, "standard error", strbuf_text(&text), text.length, err);
}

struct output output_make(bool json) {
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    bool plain = !term || strcmp(term, "dumb") == 0 || (no_color && *no_color);
    return (struct output){.json = json, .bold = !plain && isatty(STDOUT_FILENO)};
}

enum err_code output_rows(struct output *output, const struct strbuf *rows, struct error *err) {
    TRY(strbuf_check(rows, "output", err));
    output->printed = true;
    switch (output->place) {
    case OUTPUT_STANDARD:
        return file_write(STDOUT_FILENO, "standard output", strbuf_text(rows), rows->length, err);
    case OUTPUT_STANDARD_ERROR:
        return file_write(STDERR_FILENO, "standard error", strbuf_text(rows), rows->length, err);
    case OUTPUT_NOWHERE:
        break;
    }
    return ERR_OK;
}

/* JSON itself escapes controls below a space; what is left of them stands in strings, where the
 * escape means the same. */
static void add_json_visible(struct strbuf *out, const struct strbuf *json) {
    const char *bytes = strbuf_text(json);
    for (size_t at = 0; at < json->length;) {
        uint32_t code_point = 0;
        size_t length = utf8_decode(bytes + at, json->length - at, &code_point);
        if (code_point >= 0x7F && utf8_is_control(code_point)) {
            strbuf_addf(out, "\\u%04x", (unsigned)code_point);
        } else {
            strbuf_add_bytes(out, bytes + at, length > 0 ? length : 1);
        }
        at += length > 0 ? length : 1;
    }
}

enum err_code output_text(struct output *output, const struct strbuf *text, struct error *err) {
    TRY(strbuf_check(text, "output", err));
    if (!output->json) {
        return output_rows(output, text, err);
    }
    SCOPED(strbuf) struct strbuf visible = STRBUF_INIT(3 * OUTPUT_BYTES_MAX);
    add_json_visible(&visible, text);
    return output_rows(output, &visible, err);
}

enum err_code output_document(struct output *output, const struct strbuf *text, struct error *err) {
    if (!output->json) {
        return output_text(output, text, err);
    }
    TRY(strbuf_check(text, "output", err));
    SCOPED(strbuf) struct strbuf json = STRBUF_INIT(2 * OUTPUT_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&json, JSON_INDENTED);
    json_write_object_begin(&w);
    json_put_string(&w, "text", strbuf_text(text));
    json_write_object_end(&w);
    strbuf_add_char(&json, '\n');
    TRY(json_writer_finish(&w, err));
    return output_text(output, &json, err);
}

void output_error(struct output *output, const struct error *failure) {
    struct error err = ERROR_INIT;
    if (print_error(output, failure, &err) == ERR_OK) {
        return;
    }
    /* Without memory, or with standard output gone: the plain line, as it is, needs neither. */
    struct error last = ERROR_INIT;
    (void)(file_write(STDERR_FILENO, "standard error", "accord: ", 8, &last) == ERR_OK &&
           file_write(STDERR_FILENO, "standard error", failure->msg, strlen(failure->msg), &last) ==
               ERR_OK &&
           file_write(STDERR_FILENO, "standard error", "\n", 1, &last) == ERR_OK);
}
