/* replay.c - runs a fuzz target over its corpus in builds without libFuzzer.
 *
 * Use:      fuzz_json tests/fuzz/corpus/json     (a folder, or single files)
 *
 * Fails when an input cannot be read, leaves memory allocated, or when there is none: an empty
 * corpus would pass without testing anything.
 */
#include "base/file.h"
#include "base/mem.h"
#include "base/scoped.h"
#include "tests/fuzz/fuzz_target.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define INPUT_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define PATH_BYTES      4096

static enum err_code replay_file(const char *path, int64_t *replayed, struct error *err) {
    SCOPED(mem) char *text = NULL;
    size_t count = 0;
    TRY(file_read_all(path, INPUT_BYTES_MAX, &text, &count, err));
    int64_t live_before = mem_live_blocks();
    (void)LLVMFuzzerTestOneInput((const uint8_t *)text, count);
    if (mem_live_blocks() != live_before) {
        return err_set(err, ERR_INTERNAL, "'%s': %" PRId64 " blocks leaked", path,
                       mem_live_blocks() - live_before);
    }
    (*replayed)++;
    return ERR_OK;
}

static enum err_code replay_folder(const char *folder, DIR *entries, int64_t *replayed,
                                   struct error *err) {
    for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[PATH_BYTES];
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length < 0 || length >= PATH_BYTES) {
            return err_set(err, ERR_IO, "'%s/%s': path too long", folder, entry->d_name);
        }
        TRY(replay_file(path, replayed, err));
    }
    return ERR_OK;
}

static enum err_code replay(const char *path, int64_t *replayed, struct error *err) {
    DIR *entries = opendir(path);
    if (!entries) {
        return replay_file(path, replayed, err);
    }
    enum err_code code = replay_folder(path, entries, replayed, err);
    (void)closedir(entries);
    return code;
}

int main(int argc, char **argv) {
    int64_t replayed = 0;
    for (int i = 1; i < argc; i++) {
        struct error err = ERROR_INIT;
        if (replay(argv[i], &replayed, &err) != ERR_OK) {
            (void)fprintf(stderr, "replay: %s\n", err.msg);
            return EXIT_FAILURE;
        }
    }
    (void)printf("replayed %" PRId64 " inputs\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
