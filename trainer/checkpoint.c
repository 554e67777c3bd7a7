/* checkpoint.c - see checkpoint.h; in the tensor half. */
#include "trainer/checkpoint.h"

#include "base/file.h"
#include "base/file_atomic.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define PREFIX          "checkpoint-"
#define UNFINISHED      ".tmp" /* of base/folder.h, after a kill */
#define STATE_BYTES_MAX 65536

/* "<run folder>/checkpoint-<step>" */
static enum err_code folder_of(const char *run_folder, int64_t step, struct strbuf *out,
                               struct error *err) {
    strbuf_reset(out);
    strbuf_addf(out, "%s/" PREFIX "%" PRId64, run_folder, step);
    return strbuf_check(out, "path of a checkpoint", err);
}

/* --- saving ----------------------------------------------------------------------------------- */

/* The two large files, and the keys of their digests in state.json. */
enum { PARAMS, OPTIMIZER, FILE_COUNT };
static const char *const file_names[] = {"params.safetensors", "optimizer.safetensors"};
static const char *const digest_keys[] = {"params_sha256", "optimizer_sha256"};

static enum err_code write_state(const struct checkpoint_state *state,
                                 const struct hash_digest digests[FILE_COUNT], const char *path,
                                 struct error *err) {
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(STATE_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_INDENTED);
    char config[HASH_HEX_BYTES];
    char data[HASH_HEX_BYTES];
    char model[HASH_HEX_BYTES];
    hash_to_hex(&state->config, config);
    hash_to_hex(&state->data, data);
    hash_to_hex(&state->model, model);
    json_write_object_begin(&w);
    json_put_i64(&w, "global_step", state->step); /* the name in transformers' trainer_state.json */
    json_put_string(&w, "config_sha256", config);
    json_put_string(&w, "data_sha256", data);
    json_put_string(&w, "model_sha256", model);
    for (int64_t i = 0; i < FILE_COUNT; i++) {
        char hex[HASH_HEX_BYTES];
        hash_to_hex(&digests[i], hex);
        json_put_string(&w, digest_keys[i], hex);
    }
    json_put_string(&w, "build", state->build);
    json_put_i64(&w, "threads", state->threads);
    json_put_string(&w, "device", state->device);
    json_put_string(&w, "processor", state->processor);
    json_put_string(&w, "compute", state->compute);
    json_put_object_begin(&w, "numbers");
    for (int64_t i = 0; i < state->numbers_count; i++) {
        json_put_f64(&w, state->numbers[i].name, state->numbers[i].value);
    }
    json_write_object_end(&w);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&text, '\n');
    TRY(strbuf_check(&text, "state of a checkpoint", err));
    return file_atomic_write_whole(path, text.bytes, text.length, err);
}

struct saving {
    const struct checkpoint_state *state;
    const struct tt_params *params;
    const struct tt_adamw *adamw;
};

static enum err_code fill(void *context, const char *folder, struct error *err) {
    const struct saving *saving = context;
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    struct hash_digest digests[FILE_COUNT];
    TRY(folder_path(folder, file_names[PARAMS], &path, err));
    TRY(tt_params_save(saving->params, strbuf_text(&path), NULL, 0, err));
    TRY(hash_file_whole(strbuf_text(&path), &digests[PARAMS], err));
    TRY(folder_path(folder, file_names[OPTIMIZER], &path, err));
    TRY(tt_adamw_save(saving->adamw, strbuf_text(&path), err));
    TRY(hash_file_whole(strbuf_text(&path), &digests[OPTIMIZER], err));
    TRY(folder_path(folder, "state.json", &path, err));
    return write_state(saving->state, digests, strbuf_text(&path), err);
}

/* Removes a checkpoint so that a kill leaves it whole, or under no checkpoint's name. */
static enum err_code discard(const char *folder, struct error *err) {
    SCOPED(strbuf) struct strbuf unfinished = STRBUF_INIT(PATH_MAX);
    if (!file_exists(folder)) {
        return ERR_OK;
    }
    strbuf_addf(&unfinished, "%s" UNFINISHED, folder);
    TRY(strbuf_check(&unfinished, "path of a checkpoint", err));
    TRY(folder_remove(strbuf_text(&unfinished), err));
    TRY(file_rename(folder, strbuf_text(&unfinished), err));
    return folder_remove(strbuf_text(&unfinished), err);
}

enum err_code checkpoint_save(const char *run_folder, const struct checkpoint_state *state,
                              const struct tt_params *params, const struct tt_adamw *adamw,
                              struct error *err) {
    struct saving saving = {.state = state, .params = params, .adamw = adamw};
    SCOPED(strbuf) struct strbuf folder = STRBUF_INIT(PATH_MAX);
    TRY(folder_of(run_folder, state->step, &folder, err));
    TRY(discard(strbuf_text(&folder), err)); /* of a run resumed from before it */
    return folder_write_whole(strbuf_text(&folder), fill, &saving, err);
}

/* --- finding ---------------------------------------------------------------------------------- */

/* The step in "checkpoint-200"; -1 for any other name. */
static int64_t step_of(const char *name) {
    int64_t step = -1;
    if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
        !number_parse_i64(name + strlen(PREFIX), &step)) {
        return -1;
    }
    return step;
}

static bool is_unfinished(const char *name) {
    const char *suffix = strrchr(name, '.');
    return strncmp(name, PREFIX, strlen(PREFIX)) == 0 && suffix && strcmp(suffix, UNFINISHED) == 0;
}

enum err_code checkpoint_newest(const char *run_folder, int64_t *out_step, struct error *err) {
    SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
    TRY(folder_list(run_folder, &names, err));
    int64_t newest = -1;
    for (int64_t i = 0; i < names.count; i++) {
        const int64_t step = step_of(names.items[i]);
        newest = step > newest ? step : newest;
    }
    *out_step = newest;
    return ERR_OK;
}

/* How many whole checkpoints are newer than this step. */
static int64_t count_newer(const struct folder_names *names, int64_t step) {
    int64_t newer = 0;
    for (int64_t i = 0; i < names->count; i++) {
        newer += step_of(names->items[i]) > step;
    }
    return newer;
}

enum err_code checkpoint_keep_newest(const char *run_folder, int64_t count, struct error *err) {
    SCOPED(folder_names) struct folder_names names = FOLDER_NAMES_INIT;
    TRY(folder_list(run_folder, &names, err));
    for (int64_t i = 0; i < names.count; i++) {
        const int64_t step = step_of(names.items[i]);
        const bool is_old = step >= 0 && count_newer(&names, step) >= count;
        if (is_old || is_unfinished(names.items[i])) {
            SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
            TRY(folder_path(run_folder, names.items[i], &path, err));
            TRY(is_old ? discard(strbuf_text(&path), err) : folder_remove(strbuf_text(&path), err));
        }
    }
    return ERR_OK;
}

/* --- loading ---------------------------------------------------------------------------------- */

static enum err_code expect_text(const struct json *doc, const char *key, const char *expected,
                                 const char *path, struct error *err) {
    const char *found = NULL;
    TRY(json_get_string(doc, json_root(doc), key, &found, err));
    if (strcmp(found, expected) != 0) {
        return err_set(err, ERR_CONFIG,
                       "'%s' has %s '%s', this run '%s': it would not go on with the same bits",
                       path, key, found, expected);
    }
    return ERR_OK;
}

static enum err_code check_state(const struct json *doc, const struct checkpoint_state *expected,
                                 const char *path, struct error *err) {
    char config[HASH_HEX_BYTES];
    char data[HASH_HEX_BYTES];
    char model[HASH_HEX_BYTES];
    hash_to_hex(&expected->config, config);
    hash_to_hex(&expected->data, data);
    hash_to_hex(&expected->model, model);
    TRY(expect_text(doc, "config_sha256", config, path, err));
    TRY(expect_text(doc, "data_sha256", data, path, err));
    TRY(expect_text(doc, "model_sha256", model, path, err));
    TRY(expect_text(doc, "build", expected->build, path, err));
    TRY(expect_text(doc, "device", expected->device, path, err));
    TRY(expect_text(doc, "processor", expected->processor, path, err));
    TRY(expect_text(doc, "compute", expected->compute, path, err));
    int64_t threads = 0;
    int64_t step = 0;
    TRY(json_get_i64(doc, json_root(doc), "threads", &threads, err));
    TRY(json_get_i64(doc, json_root(doc), "global_step", &step, err));
    if (threads != expected->threads) {
        return err_set(err, ERR_CONFIG,
                       "'%s' was computed on %" PRId64 " threads, this run has %" PRId64
                       ": give --threads %" PRId64,
                       path, threads, expected->threads, threads);
    }
    if (step != expected->step) {
        return err_set(err, ERR_DATA, "'%s' is of step %" PRId64 ", its folder of step %" PRId64,
                       path, step, expected->step);
    }
    return ERR_OK;
}

static enum err_code read_numbers(const struct json *doc, const struct checkpoint_state *expected,
                                  double *out_numbers, struct error *err) {
    const struct json_node *numbers = NULL;
    TRY(json_get_object(doc, json_root(doc), "numbers", &numbers, err));
    for (int64_t i = 0; i < expected->numbers_count; i++) {
        TRY(json_get_f64(doc, numbers, expected->numbers[i].name, &out_numbers[i], err));
    }
    return ERR_OK;
}

/* Whether a file is the one that was saved; opens the way to it in `out_path`. */
static enum err_code find_file(const struct json *doc, const char *folder, int64_t file,
                               struct strbuf *out_path, struct error *err) {
    struct hash_digest digest;
    const char *saved = NULL;
    char found[HASH_HEX_BYTES];
    TRY(folder_path(folder, file_names[file], out_path, err));
    TRY(json_get_string(doc, json_root(doc), digest_keys[file], &saved, err));
    TRY(hash_file_whole(strbuf_text(out_path), &digest, err));
    hash_to_hex(&digest, found);
    if (strcmp(found, saved) != 0) {
        return err_set(err, ERR_DATA,
                       "'%s' is not as it was saved: remove its folder, to resume from the "
                       "checkpoint before it",
                       strbuf_text(out_path));
    }
    return ERR_OK;
}

enum err_code checkpoint_load(const char *run_folder, const struct checkpoint_state *expected,
                              struct tt_params *params, struct tt_adamw *adamw, double *out_numbers,
                              struct error *err) {
    SCOPED(strbuf) struct strbuf folder = STRBUF_INIT(PATH_MAX);
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(folder_of(run_folder, expected->step, &folder, err));
    TRY(folder_path(strbuf_text(&folder), "state.json", &path, err));
    SCOPED(json) struct json *doc = NULL;
    TRY(json_parse_file(strbuf_text(&path), NULL, &doc, err));
    TRY(check_state(doc, expected, strbuf_text(&path), err));
    TRY(read_numbers(doc, expected, out_numbers, err));
    TRY(find_file(doc, strbuf_text(&folder), PARAMS, &path, err));
    TRY(tt_params_load(params, strbuf_text(&path), err));
    TRY(find_file(doc, strbuf_text(&folder), OPTIMIZER, &path, err));
    return tt_adamw_load(adamw, strbuf_text(&path), err);
}
