/* machine.c - see machine.h. */
#include "base/machine.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/scoped.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#define CPUINFO_BYTES_MAX (16 * MIB) /* 2 kB for each of thousands of cores */
#define SMALL_BYTES_MAX   (64 * KIB)
#define CGROUP_MEMORY_MAX "/sys/fs/cgroup/memory.max"

static const struct {
    const char *name, *flag;
} features[] = {
#define MACHINE_FEATURE_ROW(name, text, flag) {text, flag},
    MACHINE_FEATURES(MACHINE_FEATURE_ROW)
#undef MACHINE_FEATURE_ROW
};

/* The file's text, or NULL: owned (mem_free). */
static char *read_text(const char *path, size_t bytes_max) {
    char *text = NULL;
    size_t bytes = 0;
    struct error ignored = ERROR_INIT;
    return file_read_all(path, bytes_max, &text, &bytes, &ignored) == ERR_OK ? text : NULL;
}

/* What follows "<key>:" on the first line that has it, up to the end of that line; length 0 when
 * there is none. */
static const char *find_value(const char *text, const char *key, size_t *out_length) {
    size_t key_length = strlen(key);
    const char *line = text;
    while (line) {
        const char *colon = line + strcspn(line, ":\n");
        bool matches = strncmp(line, key, key_length) == 0 &&
                       line + key_length + strspn(line + key_length, " \t") == colon;
        if (matches && *colon == ':') {
            const char *value = colon + 1 + strspn(colon + 1, " \t");
            *out_length = strcspn(value, "\n");
            return value;
        }
        const char *end = strchr(line, '\n');
        line = end ? end + 1 : NULL;
    }
    *out_length = 0;
    return "";
}

static bool has_word(const char *text, size_t length, const char *word) {
    size_t word_length = strlen(word);
    const char *end = text + length;
    while (text < end) {
        size_t here = strcspn(text, " \n");
        if (here == word_length && strncmp(text, word, here) == 0) {
            return true;
        }
        text += here + 1;
    }
    return false;
}

static void look_at_system(struct machine *out) {
    struct utsname names;
    if (uname(&names) == 0) {
        (void)snprintf(out->system, sizeof out->system, "%.40s %.60s, %.20s", names.sysname,
                       names.release, names.machine);
    }
}

/* A container may hold less memory than the machine; "max" means that it does not say. */
static void apply_container_limit(struct machine *out) {
    SCOPED(mem) char *text = read_text(CGROUP_MEMORY_MAX, SMALL_BYTES_MAX);
    int64_t limit = text ? (int64_t)strtoll(text, NULL, 10) : 0;
    if (limit > 0 && limit < out->memory_total_bytes) {
        out->memory_total_bytes = limit;
    }
    if (out->memory_available_bytes > out->memory_total_bytes) {
        out->memory_available_bytes = out->memory_total_bytes;
    }
}

void machine_look(struct machine *out) {
    *out = (struct machine){.memory_total_bytes = 0};
    look_at_system(out);
    SCOPED(mem) char *cpuinfo = read_text("/proc/cpuinfo", CPUINFO_BYTES_MAX);
    if (cpuinfo) {
        machine_read_cpuinfo(cpuinfo, out);
    }
    SCOPED(mem) char *meminfo = read_text("/proc/meminfo", SMALL_BYTES_MAX);
    if (meminfo) {
        out->memory_total_bytes = machine_read_meminfo(meminfo, "MemTotal");
        out->memory_available_bytes = machine_read_meminfo(meminfo, "MemAvailable");
        apply_container_limit(out);
    }
}

const char *machine_feature_name(enum machine_feature feature) {
    return (unsigned)feature < MACHINE_FEATURE_COUNT ? features[feature].name : "unknown";
}

int64_t machine_memory_peak(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0; /* in KiB */
}

enum err_code machine_disk_free(const char *path, int64_t *out_bytes, struct error *err) {
    struct statvfs disk;
    if (statvfs(path, &disk) != 0) {
        return err_set_errno(err, errno, "cannot ask for the free space at '%s'", path);
    }
    *out_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
    return ERR_OK;
}

void machine_read_cpuinfo(const char *text, struct machine *out) {
    size_t length = 0;
    const char *model = find_value(text, "model name", &length);
    (void)snprintf(out->processor, sizeof out->processor, "%.*s", (int)length, model);
    const char *flags = find_value(text, "flags", &length);
    for (int i = 0; i < MACHINE_FEATURE_COUNT; i++) {
        out->features[i] = has_word(flags, length, features[i].flag);
    }
}

int64_t machine_read_meminfo(const char *text, const char *key) {
    size_t length = 0;
    const char *value = find_value(text, key, &length);
    return length > 0 ? (int64_t)strtoll(value, NULL, 10) * (int64_t)KIB : 0;
}
