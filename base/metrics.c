/* metrics.c - see metrics.h. */
#include "base/metrics.h"

#include "base/file.h"
#include "base/file_writer.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/tensorboard.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ROW_BYTES_MAX    ((size_t)256 * 1024)
#define BUFFER_BYTES     ((size_t)16 * 1024)
#define NONFINITE_SUFFIX "_nonfinite"
#define ROW_START        "{\"step\":" /* as compose writes it */

struct metrics {
    const struct clock *clock;
    struct file_writer writer;
    struct tensorboard *tensorboard; /* NULL for none */
    struct strbuf line;              /* scratch: kept for its capacity */
    char (*keys)[METRICS_KEY_BYTES]; /* [METRICS_KEYS_MAX] */
    size_t key_count;                /* 0 before the first row */
    int64_t next_step;               /* steps below are taken */
};

/* --- keys --- */

static bool ends_with(const char *text, const char *suffix) {
    size_t length = strlen(text);
    size_t suffix_length = strlen(suffix);
    return length >= suffix_length && strcmp(text + length - suffix_length, suffix) == 0;
}

static enum err_code check_key(const char *key, struct error *err) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-./";
    size_t length = strlen(key);
    if (length == 0 || length >= METRICS_KEY_BYTES || strspn(key, allowed) != length) {
        return err_set(err, ERR_INTERNAL,
                       "metric key '%s': use 1 to %d letters, digits and \"_-./\"", key,
                       METRICS_KEY_BYTES - 1);
    }
    if (strcmp(key, "step") == 0 || strcmp(key, "time") == 0 || ends_with(key, NONFINITE_SUFFIX)) {
        return err_set(err, ERR_INTERNAL, "metric key '%s' is reserved", key);
    }
    return ERR_OK;
}

/* Index of `key`, `key_count` when it is not there. `guess` is where it was in the first row. */
static size_t find_key(const struct metrics *m, const char *key, size_t guess) {
    if (guess < m->key_count && strcmp(m->keys[guess], key) == 0) {
        return guess;
    }
    size_t index = 0;
    while (index < m->key_count && strcmp(m->keys[index], key) != 0) {
        index++;
    }
    return index;
}

static enum err_code learn_key(struct metrics *m, const char *key, struct error *err) {
    TRY(check_key(key, err));
    if (find_key(m, key, 0) < m->key_count) {
        return err_set(err, ERR_INTERNAL, "metric '%s' is given twice", key);
    }
    if (m->key_count == METRICS_KEYS_MAX) {
        return err_set(err, ERR_INTERNAL, "metric '%s' is one more than %d", key, METRICS_KEYS_MAX);
    }
    memcpy(m->keys[m->key_count++], key, strlen(key) + 1);
    return ERR_OK;
}

static enum err_code learn_row(struct metrics *m, const struct metric *row, size_t count,
                               struct error *err) {
    for (size_t i = 0; i < count; i++) {
        enum err_code code = learn_key(m, row[i].key, err);
        if (code != ERR_OK) {
            m->key_count = 0; /* the first good row decides */
            return code;
        }
    }
    return ERR_OK;
}

/* The values of `row` in the order of the first row. */
static enum err_code sort_row(const struct metrics *m, int64_t step, const struct metric *row,
                              size_t count, struct metric *out, struct error *err) {
    bool seen[METRICS_KEYS_MAX] = {false};
    for (size_t i = 0; i < count; i++) {
        size_t index = find_key(m, row[i].key, i);
        if (index == m->key_count) {
            return err_set(err, ERR_INTERNAL,
                           "metric '%s' is new at step %" PRId64 "; the first row fixes the keys",
                           row[i].key, step);
        }
        if (seen[index]) {
            return err_set(err, ERR_INTERNAL, "metric '%s' is given twice at step %" PRId64,
                           row[i].key, step);
        }
        seen[index] = true;
        out[index] = (struct metric){.key = m->keys[index], .value = row[i].value};
    }
    for (size_t index = 0; index < m->key_count; index++) {
        if (!seen[index]) {
            return err_set(err, ERR_INTERNAL,
                           "metric '%s' is missing at step %" PRId64 "; the first row fixes the "
                           "keys",
                           m->keys[index], step);
        }
    }
    return ERR_OK;
}

/* --- what an earlier process has written --- */

/* Step of a line that this module has written; ERR_DATA for any other line. */
static enum err_code read_step(const char *line, size_t count, size_t offset, int64_t *out_step,
                               struct error *err) {
    char name[64];
    (void)snprintf(name, sizeof name, "row at byte %zu", offset);
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(line, count, name, NULL, &doc, err));
    return json_get_i64(doc, json_root(doc), "step", out_step, err);
}

/* Offset of the first byte of the line that ends, with its line end, before `end`. */
static size_t line_start(const char *bytes, size_t end) {
    size_t start = end - 1;
    while (start > 0 && bytes[start - 1] != '\n') {
        start--;
    }
    return start;
}

/* Whether the text is a row, or a row cut short: a file without a line end has no other mark. */
static bool begins_as_row(const char *bytes, size_t count) {
    size_t length = strlen(ROW_START);
    return strncmp(bytes, ROW_START, count < length ? count : length) == 0;
}

/* Length of the part to keep: whole lines of steps below `first_step`. Steps increase, so it is
 * looked for from the end: resuming a long run reads a few rows. */
static enum err_code find_end(const char *bytes, size_t count, int64_t first_step, size_t *out_end,
                              struct error *err) {
    size_t end = count;
    while (end > 0 && bytes[end - 1] != '\n') { /* an unfinished line */
        end--;
    }
    if (end == 0 && count > 0 && !begins_as_row(bytes, count)) {
        return err_set(err, ERR_DATA, "row at byte 0 does not begin with '" ROW_START "'");
    }
    while (end > 0) {
        size_t start = line_start(bytes, end);
        int64_t step = 0;
        TRY(read_step(bytes + start, end - 1 - start, start, &step, err));
        if (step < first_step) {
            break;
        }
        end = start;
    }
    *out_end = end;
    return ERR_OK;
}

/* Every member of a kept row but the three kinds of our own. */
static enum err_code learn_line(struct metrics *m, const char *line, size_t count,
                                struct error *err) {
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse(line, count, "the first row", NULL, &doc, err));
    for (const struct json_node *node = json_first(json_root(doc)); node; node = json_next(node)) {
        const char *key = json_key(node);
        bool ours = strcmp(key, "step") == 0 || strcmp(key, "time") == 0 ||
                    ends_with(key, NONFINITE_SUFFIX);
        if (!ours) {
            TRY(learn_key(m, key, err));
        }
    }
    return ERR_OK;
}

static enum err_code read_kept_rows(struct metrics *m, const char *bytes, size_t count,
                                    int64_t first_step, size_t *out_end, struct error *err) {
    size_t end = 0;
    TRY(find_end(bytes, count, first_step, &end, err));
    if (end > 0) {
        const char *line_end = memchr(bytes, '\n', end);
        TRY(learn_line(m, bytes, (size_t)(line_end - bytes), err));
    }
    *out_end = end;
    return ERR_OK;
}

static enum err_code take_over(struct metrics *m, const char *path, int64_t first_step,
                               struct error *err) {
    SCOPED(file_map) struct file_map map = FILE_MAP_INIT;
    TRY(file_map_open(path, &map, err));
    size_t end = 0;
    const char *bytes = (const char *)map.bytes;
    TRY(err_wrap(err, read_kept_rows(m, bytes, map.count, first_step, &end, err),
                 "cannot go on with metrics file '%s'", path));
    bool shrinks = end < map.count;
    file_map_close(&map); /* before its file shrinks */
    return shrinks ? file_resize(m->writer.fd, path, (int64_t)end, err) : ERR_OK;
}

/* --- life --- */

static enum err_code open_into(struct metrics *m, const struct metrics_options *options,
                               struct error *err) {
    m->keys = mem_array_zero(METRICS_KEYS_MAX, sizeof *m->keys);
    if (!m->keys) {
        return err_oom(err, "metric keys");
    }
    TRY(file_writer_open(options->path, O_WRONLY | O_CREAT | O_APPEND, BUFFER_BYTES, &m->writer,
                         err));
    TRY(file_sync_folder_of(options->path, err)); /* a synced file needs its name too */
    TRY(take_over(m, options->path, options->first_step, err));
    if (!options->tensorboard_folder) {
        return ERR_OK;
    }
    TRY(tensorboard_open(options->tensorboard_folder, options->clock, &m->tensorboard, err));
    return options->first_step > 0 ? tensorboard_restart(m->tensorboard, options->first_step, err)
                                   : ERR_OK;
}

enum err_code metrics_open(const struct metrics_options *options, struct metrics **out_metrics,
                           struct error *err) {
    SCOPED(metrics) struct metrics *m = mem_alloc(sizeof *m);
    if (!m) {
        return err_oom(err, "a metrics writer");
    }
    *m = (struct metrics){.clock = options->clock,
                          .writer = FILE_WRITER_INIT,
                          .line = STRBUF_INIT(ROW_BYTES_MAX),
                          .next_step = options->first_step};
    TRY(open_into(m, options, err));
    *out_metrics = MOVE(m);
    return ERR_OK;
}

void metrics_close(struct metrics *metrics) {
    if (metrics) {
        file_writer_close(&metrics->writer);
        tensorboard_close(metrics->tensorboard);
        strbuf_deinit(&metrics->line);
        mem_free(metrics->keys);
        mem_free(metrics);
    }
}

/* --- rows --- */

static void write_value(struct json_writer *w, const struct metric *metric) {
    json_put_f64_or_null(w, metric->key, metric->value);
    if (!isfinite(metric->value)) {
        char key[METRICS_KEY_BYTES + sizeof NONFINITE_SUFFIX];
        (void)snprintf(key, sizeof key, "%s%s", metric->key, NONFINITE_SUFFIX);
        json_put_string(w, key, isnan(metric->value) ? "nan" : metric->value > 0 ? "inf" : "-inf");
    }
}

static enum err_code compose(struct metrics *m, int64_t step, const struct metric *row,
                             struct error *err) {
    strbuf_reset(&m->line);
    struct json_writer w = JSON_WRITER_INIT(&m->line, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_i64(&w, "step", step);
    json_put_f64(&w, "time", clock_wall_seconds(m->clock));
    for (size_t i = 0; i < m->key_count; i++) {
        write_value(&w, &row[i]);
    }
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&m->line, '\n');
    return strbuf_check(&m->line, "a metrics row", err);
}

enum err_code metrics_add(struct metrics *metrics, int64_t step, const struct metric *row,
                          size_t count, struct error *err) {
    if (step < metrics->next_step) {
        return err_set(err, ERR_INTERNAL,
                       "metrics for step %" PRId64 ", expected %" PRId64 " or later", step,
                       metrics->next_step);
    }
    if (metrics->key_count == 0) {
        TRY(learn_row(metrics, row, count, err));
    }
    struct metric sorted[METRICS_KEYS_MAX] = {{NULL, 0.0}};
    TRY(sort_row(metrics, step, row, count, sorted, err));
    TRY(compose(metrics, step, sorted, err));
    TRY(file_writer_add(&metrics->writer, metrics->line.bytes, metrics->line.length, err));
    TRY(file_writer_flush(&metrics->writer, err));
    metrics->next_step = step + 1;
    if (!metrics->tensorboard) {
        return ERR_OK;
    }
    return tensorboard_add_scalars(metrics->tensorboard, step, sorted, metrics->key_count, err);
}

enum err_code metrics_sync(struct metrics *metrics, struct error *err) {
    TRY(file_writer_sync(&metrics->writer, err));
    return metrics->tensorboard ? tensorboard_sync(metrics->tensorboard, err) : ERR_OK;
}
