/* thread_count.c - see thread_count.h. */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier): for sched_getaffinity */

#include "base/thread_count.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/invariant.h"
#include "base/number.h"
#include "base/scoped.h"
#include "base/strbuf.h"

#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NO_QUOTA       ((double)INFINITY)
#define CPU_SETS       8 /* of 1024 cores each: the kernel wants room for all it was built for */
#define FILE_BYTES_MAX ((size_t)64 * 1024)
#define PATH_BYTES_MAX ((size_t)8 * 1024)

static int64_t cores_in_affinity_mask(int64_t cores_online) {
    cpu_set_t sets[CPU_SETS];
    memset(sets, 0, sizeof sets);
    if (sched_getaffinity(0, sizeof sets, sets) != 0) {
        return cores_online;
    }
    return CPU_COUNT_S(sizeof sets, sets);
}

struct thread_count_inputs thread_count_look(void) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t cores_online = online > 0 ? online : 1;
    return (struct thread_count_inputs){
        .wanted = THREAD_COUNT_CHOOSE,
        .omp_num_threads = getenv("OMP_NUM_THREADS"),
        .cores_online = cores_online,
        .cores_allowed = cores_in_affinity_mask(cores_online),
        .root_folder = "",
    };
}

/* --- cgroups --- */

/* Contents of a small file, NULL when it cannot be read; owned. */
static enum err_code read_if_there(const char *path, char **out_text, struct error *err) {
    struct error ignored = ERROR_INIT;
    size_t bytes = 0;
    *out_text = NULL;
    enum err_code code = file_read_all(path, FILE_BYTES_MAX, out_text, &bytes, &ignored);
    return code == ERR_OOM ? err_oom(err, "a cgroup file") : ERR_OK;
}

/* The numbers, two at most, that `<folder>/<name>` starts with; none for "max" or a missing file.
 */
static enum err_code read_numbers(const char *folder, const char *name, double out[2],
                                  int *out_count, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES_MAX);
    TRY(folder_path(folder, name, &path, err));
    SCOPED(mem) char *text = NULL;
    TRY(read_if_there(strbuf_text(&path), &text, err));
    *out_count = text ? sscanf(text, "%lf %lf", &out[0], &out[1]) : 0;
    return ERR_OK;
}

static double cores_paid(double quota_us, double period_us) {
    return quota_us > 0.0 && period_us > 0.0 ? quota_us / period_us : NO_QUOTA;
}

/* Version 2: "200000 100000" or "max 100000". */
static enum err_code read_quota_v2(const char *folder, double *out_cores, struct error *err) {
    double numbers[2] = {0};
    int count = 0;
    TRY(read_numbers(folder, "cpu.max", numbers, &count, err));
    *out_cores = count == 2 ? cores_paid(numbers[0], numbers[1]) : NO_QUOTA;
    return ERR_OK;
}

/* Version 1: one number in each of two files; a quota of -1 means none. */
static enum err_code read_quota_v1(const char *folder, double *out_cores, struct error *err) {
    double quota[2] = {0};
    double period[2] = {0};
    int quotas = 0;
    int periods = 0;
    TRY(read_numbers(folder, "cpu.cfs_quota_us", quota, &quotas, err));
    TRY(read_numbers(folder, "cpu.cfs_period_us", period, &periods, err));
    *out_cores = quotas >= 1 && periods >= 1 ? cores_paid(quota[0], period[0]) : NO_QUOTA;
    return ERR_OK;
}

typedef enum err_code (*quota_reader)(const char *folder, double *out_cores, struct error *err);

/* The smallest quota of `<mount><cgroup>` and the cgroups above it: each binds all below. In a
 * container the path may not exist under the mount, whose root is then our own cgroup. */
static enum err_code lower_by_branch(const char *mount, const char *cgroup, quota_reader read_quota,
                                     double *cores, struct error *err) {
    SCOPED(strbuf) struct strbuf folder = STRBUF_INIT(PATH_BYTES_MAX);
    strbuf_addf(&folder, "%s%s", mount, cgroup);
    TRY(strbuf_check(&folder, "a cgroup path", err));
    size_t mount_length = strlen(mount);
    for (;;) {
        double quota = NO_QUOTA;
        TRY(read_quota(strbuf_text(&folder), &quota, err));
        *cores = fmin(*cores, quota);
        if (folder.length <= mount_length) {
            return ERR_OK;
        }
        const char *slash = strrchr(folder.bytes, '/');
        size_t cut = (size_t)(slash - folder.bytes);
        strbuf_truncate(&folder, cut > mount_length ? cut : mount_length);
    }
}

static bool list_contains(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *item = list; item; item = strchr(item, ',')) {
        item += *item == ',';
        if (strncmp(item, word, length) == 0 && (item[length] == ',' || item[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* One line of /proc/self/cgroup, "<hierarchy>:<controllers>:<cgroup>"; version 2 is "0::<cgroup>".
 * `line` is cut at its separators. */
static enum err_code lower_by_line(const char *root, char *line, double *cores, struct error *err) {
    char *controllers = strchr(line, ':');
    char *cgroup = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!cgroup) {
        return ERR_OK;
    }
    *controllers++ = '\0';
    *cgroup++ = '\0';
    bool is_v2 = controllers[0] == '\0';
    if (!is_v2 && !list_contains(controllers, "cpu")) {
        return ERR_OK;
    }
    SCOPED(strbuf) struct strbuf mount = STRBUF_INIT(PATH_BYTES_MAX);
    strbuf_addf(&mount, "%s/sys/fs/cgroup%s%s", root, is_v2 ? "" : "/", controllers);
    TRY(strbuf_check(&mount, "a cgroup path", err));
    return lower_by_branch(strbuf_text(&mount), cgroup, is_v2 ? read_quota_v2 : read_quota_v1,
                           cores, err);
}

/* Cores that the quotas of all our cgroups pay for; NO_QUOTA without one. */
static enum err_code read_quotas(const char *root, double *out_cores, struct error *err) {
    SCOPED(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES_MAX);
    strbuf_addf(&path, "%s/proc/self/cgroup", root);
    TRY(strbuf_check(&path, "a cgroup path", err));
    SCOPED(mem) char *text = NULL;
    TRY(read_if_there(strbuf_text(&path), &text, err));
    double cores = NO_QUOTA;
    char *rest = NULL;
    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        TRY(lower_by_line(root, line, &cores, err));
    }
    *out_cores = cores;
    return ERR_OK;
}

/* --- choosing --- */

static bool in_range(int64_t threads) {
    return threads >= 1 && threads <= THREAD_COUNT_MAX;
}

static enum err_code choose_wanted(const struct thread_count_inputs *in, struct thread_count *out,
                                   struct error *err) {
    if (!in_range(in->wanted)) {
        return err_set(err, ERR_USAGE, "thread count %" PRId64 " is outside [1, %d]", in->wanted,
                       THREAD_COUNT_MAX);
    }
    out->threads = in->wanted;
    (void)snprintf(out->reason, sizeof out->reason, "as asked, on %" PRId64 " cores",
                   in->cores_allowed);
    return ERR_OK;
}

/* "4", or "4,2" for nested teams, of which the outermost counts. */
static enum err_code choose_omp(const struct thread_count_inputs *in, struct thread_count *out,
                                struct error *err) {
    char first[32] = {0};
    size_t length = strcspn(in->omp_num_threads, ",");
    int64_t threads = 0;
    if (length < sizeof first) {
        memcpy(first, in->omp_num_threads, length);
    }
    if (!number_parse_i64(first, &threads) || !in_range(threads)) {
        return err_set(err, ERR_CONFIG,
                       "OMP_NUM_THREADS='%s' is not a thread count in [1, %d]; unset or correct it",
                       in->omp_num_threads, THREAD_COUNT_MAX);
    }
    out->threads = threads;
    (void)snprintf(out->reason, sizeof out->reason, "OMP_NUM_THREADS, on %" PRId64 " cores",
                   in->cores_allowed);
    return ERR_OK;
}

static enum err_code choose_by_machine(const struct thread_count_inputs *in,
                                       struct thread_count *out, struct error *err) {
    double quota = NO_QUOTA;
    TRY(read_quotas(in->root_folder, &quota, err));
    int64_t threads = in->cores_online;
    const char *why = "";
    if (in->cores_allowed < threads) {
        threads = in->cores_allowed;
        why = ": affinity mask";
    }
    if (quota < (double)threads) {
        threads = (int64_t)quota;
        why = ": cgroup quota";
    }
    if (threads > THREAD_COUNT_MAX) {
        threads = THREAD_COUNT_MAX;
        why = ": the most this program uses";
    }
    out->threads = threads >= 1 ? threads : 1;
    (void)snprintf(out->reason, sizeof out->reason, "%" PRId64 " of %" PRId64 " cores%s",
                   out->threads, in->cores_online, why);
    return ERR_OK;
}

enum err_code thread_count_choose(const struct thread_count_inputs *inputs,
                                  struct thread_count *out, struct error *err) {
    ASSERT(inputs->cores_online >= 1);
    if (inputs->wanted != THREAD_COUNT_CHOOSE) {
        return choose_wanted(inputs, out, err);
    }
    if (inputs->omp_num_threads) {
        return choose_omp(inputs, out, err);
    }
    return choose_by_machine(inputs, out, err);
}
