/* run_folder.c - see run_folder.h. */
#include "trainer/run_folder.h"

#include "base/arena.h"
#include "base/config_text.h"
#include "base/file.h"
#include "base/file_atomic.h"
#include "base/file_lock.h"
#include "base/folder.h"
#include "base/json_writer.h"
#include "base/machine.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "trainer/version.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#define CONFIG_BYTES_MAX (1 * MIB)
#define CONFIG_NAME      "config.json" /* is there exactly when a run has begun in the folder */

/* --- the configuration ------------------------------------------------------------------------ */

struct config_copy {
    const struct config_table *table;
    void *config; /* owned */
};

static void config_copy_scoped_end(struct config_copy *copy) {
    if (copy->config) {
        config_deinit(copy->table, copy->config);
    }
    mem_free(copy->config);
}

/* What the run's results follow from: the configuration but for where it is written and what is
 * said meanwhile. A moved folder is still the same run. */
static enum err_code identity_of(const struct config_table *table, const void *config,
                                 struct strbuf *out, struct error *err) {
    static const char *const passed_over[] = {"output=", "run.log_level=info"};
    SCOPED(config_copy) struct config_copy copy = {.table = table};
    copy.config = mem_array_zero(1, table->struct_bytes);
    if (!copy.config) {
        return err_oom(err, "configuration of the run");
    }
    TRY(config_clone(table, config, copy.config, err));
    for (size_t i = 0; i < sizeof passed_over / sizeof *passed_over; i++) {
        TRY(config_set(table, copy.config, passed_over[i], err));
    }
    return config_dump(table, copy.config, out, err);
}

/* The first line in which two configurations differ, of `found`; cut at the end of the line. */
static void first_difference(const char *found, const char *wanted, char *out, size_t out_bytes) {
    size_t line = 0;
    for (size_t i = 0; found[i] && found[i] == wanted[i]; i++) {
        line = found[i] == '\n' ? i + 1 : line;
    }
    line += strspn(found + line, " ");
    size_t length = strcspn(found + line, ",\n");
    length = length < out_bytes ? length : out_bytes - 1;
    memcpy(out, found + line, length);
    out[length] = '\0';
}

static enum err_code check_same_config(const struct config_table *table, const char *path,
                                       const struct strbuf *wanted, struct error *err) {
    SCOPED(strbuf) struct strbuf found = STRBUF_INIT(CONFIG_BYTES_MAX);
    SCOPED(config_copy) struct config_copy begun = {.table = table};
    begun.config = mem_array_zero(1, table->struct_bytes);
    if (!begun.config) {
        return err_oom(err, "configuration of the run");
    }
    TRY(config_init(table, begun.config, err));
    TRY(config_apply_file(table, begun.config, path, err));
    TRY(identity_of(table, begun.config, &found, err));
    if (strcmp(strbuf_text(&found), strbuf_text(wanted)) == 0) {
        return ERR_OK;
    }
    char difference[96];
    first_difference(strbuf_text(&found), strbuf_text(wanted), difference, sizeof difference);
    return err_set(err, ERR_CONFIG,
                   "the run was started with another configuration, there %s: resume it with "
                   "--config %s",
                   difference, path);
}

static enum err_code settle_config(const struct run *run, const struct run_folder_options *options,
                                   struct hash_digest *out_hash, struct error *err) {
    SCOPED(strbuf) struct strbuf identity = STRBUF_INIT(CONFIG_BYTES_MAX);
    SCOPED(strbuf) struct strbuf config = STRBUF_INIT(CONFIG_BYTES_MAX);
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(folder_path(options->path, CONFIG_NAME, &path, err));
    TRY(identity_of(run->config_table, run->config, &identity, err));
    TRY(hash_bytes(identity.bytes, identity.length, out_hash, err));
    const bool begun = file_exists(strbuf_text(&path));
    if (begun && !options->resume) {
        return err_set(err, ERR_USAGE,
                       "'%s' holds a run: go on with it by --resume, or choose another --output",
                       options->path);
    }
    if (begun) {
        return check_same_config(run->config_table, strbuf_text(&path), &identity, err);
    }
    TRY(config_dump(run->config_table, run->config, &config, err));
    return file_atomic_write_whole(strbuf_text(&path), config.bytes, config.length, err);
}

/* Before anything is made, so that a mistyped folder does not come to be. */
static enum err_code check_begun(const char *folder, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(folder_path(folder, CONFIG_NAME, &path, err));
    return file_exists(strbuf_text(&path))
               ? ERR_OK
               : err_set(err, ERR_USAGE, "'%s' holds no run to resume", folder);
}

/* --- the folder ------------------------------------------------------------------------------- */

static enum err_code take_lock(struct run_folder *folder, struct error *err) {
    folder->lock_path = mem_strjoin(folder->path, "/lock");
    if (!folder->lock_path) {
        return err_oom(err, "run folder");
    }
    TRY(file_lock_open(folder->lock_path, &folder->lock_fd, err));
    if (folder->lock_fd < 0) {
        return err_set(err, ERR_IO, "another process is running in '%s'", folder->path);
    }
    return ERR_OK;
}

/* Appends to a file that grows by a line for each process. */
static enum err_code append(const struct run_folder *folder, const char *name,
                            const struct strbuf *text, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    SCOPED(file_fd) int fd = -1;
    TRY(strbuf_check(text, name, err));
    TRY(folder_path(folder->path, name, &path, err));
    TRY(file_open(strbuf_text(&path), O_WRONLY | O_CREAT | O_APPEND, &fd, err));
    TRY(file_write(fd, strbuf_text(&path), text->bytes, text->length, err));
    return file_close(&fd, strbuf_text(&path), err);
}

static void put_libraries(struct json_writer *w, const char *torch) {
    struct version_library libraries[VERSION_LIBRARY_COUNT];
    version_libraries(libraries);
    json_put_object_begin(w, "libraries");
    json_put_string(w, "libtorch", torch);
    for (size_t i = 0; i < VERSION_LIBRARY_COUNT; i++) {
        json_put_string(w, libraries[i].name, libraries[i].version);
    }
    json_write_object_end(w);
}

static enum err_code write_environment(const struct run *run, const char *torch,
                                       const struct run_folder *folder, struct error *err) {
    struct machine machine;
    struct thread_count threads = {.threads = 0};
    machine_look(&machine);
    TRY(run_threads(run, &threads, err));
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(CONFIG_BYTES_MAX);
    struct json_writer w = JSON_WRITER_INIT(&text, JSON_COMPACT);
    json_write_object_begin(&w);
    json_put_string(&w, "started_at", clock_utc_text(clock_wall_ns(&run->clock)).text);
    json_put_string(&w, "build", version_build_id());
    json_put_string(&w, "build_type", version_build_type());
    json_put_string(&w, "compiler", version_compiler());
    put_libraries(&w, torch);
    json_put_string(&w, "system", machine.system);
    json_put_string(&w, "processor", machine.processor);
    json_put_i64(&w, "memory_bytes", machine.memory_total_bytes);
    json_put_i64(&w, "threads", threads.threads);
    json_put_string(&w, "threads_reason", threads.reason);
    json_put_string(&w, "device", run->settings->device);
    json_put_u64(&w, "seed", run->settings->seed);
    json_write_object_end(&w);
    TRY(json_writer_finish(&w, err));
    strbuf_add_char(&text, '\n');
    return append(folder, "environments.jsonl", &text, err);
}

static enum err_code write_command(const struct command_args *args, const struct run_folder *folder,
                                   struct error *err) {
    SCOPED(strbuf) struct strbuf line = STRBUF_INIT(CONFIG_BYTES_MAX);
    command_args_line(args, &line);
    strbuf_add_char(&line, '\n');
    return append(folder, "command.txt", &line, err);
}

static enum err_code open_log(struct run *run, const struct run_folder *folder, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(folder_path(folder->path, "log.txt", &path, err));
    return log_set_file(run->log, strbuf_text(&path), LOG_LEVEL_DEBUG, err);
}

enum err_code run_folder_open(struct run *run, const struct run_folder_options *options,
                              struct run_folder *out_folder, struct error *err) {
    SCOPED(run_folder) struct run_folder folder = RUN_FOLDER_INIT;
    if (options->resume) {
        TRY(check_begun(options->path, err));
    }
    folder.clock = &run->clock;
    folder.path = mem_strdup(options->path);
    if (!folder.path) {
        return err_oom(err, "run folder");
    }
    TRY(file_make_folders(options->path, err));
    TRY(take_lock(&folder, err));
    TRY(settle_config(run, options, &folder.config, err));
    TRY(write_command(options->args, &folder, err));
    TRY(write_environment(run, options->torch, &folder, err));
    TRY(open_log(run, &folder, err));
    *out_folder = folder;
    folder = (struct run_folder)RUN_FOLDER_INIT;
    return ERR_OK;
}

void run_folder_close(struct run_folder *folder) {
    file_lock_close(&folder->lock_fd, folder->lock_path);
    mem_free(folder->lock_path);
    mem_free(folder->path);
    *folder = (struct run_folder)RUN_FOLDER_INIT;
}

enum err_code run_folder_metrics(const struct run_folder *folder, const char *name,
                                 int64_t first_step, struct metrics **out_metrics,
                                 struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_MAX);
    TRY(folder_path(folder->path, name, &path, err));
    const struct metrics_options options = {
        .path = strbuf_text(&path),
        .tensorboard_folder = strcmp(name, "metrics.jsonl") == 0 ? folder->path : NULL,
        .clock = folder->clock,
        .first_step = first_step,
    };
    return metrics_open(&options, out_metrics, err);
}
