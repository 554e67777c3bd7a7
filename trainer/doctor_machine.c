/* doctor_machine.c - findings that need no libtorch; see doctor.h. */
#include "base/arena.h"
#include "base/machine.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "trainer/cache_folder.h"
#include "trainer/doctor.h"
#include "trainer/version.h"

#include <string.h>
#include <unistd.h>

/* Training a 135M-parameter model in f32 with AdamW holds 16 bytes a parameter, and as much again
 * for a batch; each of its checkpoints is 1.6 GB. */
#define MEMORY_COMFORTABLE ((int64_t)(4 * GIB))
#define DISK_COMFORTABLE   ((int64_t)(4 * GIB))

static double gib(int64_t bytes) {
    return (double)bytes / (double)GIB;
}

static void add_processor(struct doctor_report *report, const struct machine *machine) {
    doctor_add(report, DOCTOR_MACHINE, DOCTOR_OK, "system", "", "%s", machine->system);
    doctor_add(report, DOCTOR_MACHINE, DOCTOR_OK, "processor", "", "%s",
               machine->processor[0] ? machine->processor : "unknown");
}

static void add_instructions(struct doctor_report *report, const struct machine *machine) {
    SCOPED(strbuf) struct strbuf names = STRBUF_INIT(DOCTOR_VALUE_BYTES);
    for (int i = 0; i < MACHINE_FEATURE_COUNT; i++) {
        if (machine->features[i]) {
            strbuf_addf(&names, "%s%s", names.length > 0 ? ", " : "",
                        machine_feature_name((enum machine_feature)i));
        }
    }
    bool bf16 = machine->features[MACHINE_FEATURE_AVX512_BF16] ||
                machine->features[MACHINE_FEATURE_AMX_BF16];
    bool vectors =
        machine->features[MACHINE_FEATURE_AVX2] && machine->features[MACHINE_FEATURE_FMA];
    const char *advice =
        vectors ? "no bf16 instructions: models compute in f32, at two to six times the time of a "
                  "processor with AVX-512-bf16 or AMX"
                : "no AVX2: everything computes about eight times slower than on a processor that "
                  "has it";
    doctor_add(report, DOCTOR_MACHINE, bf16 ? DOCTOR_OK : DOCTOR_SLOW, "instructions", advice, "%s",
               names.length > 0 ? strbuf_text(&names) : "none of AVX2, AVX-512, AMX");
}

static void add_threads(struct doctor_report *report, const struct run *run) {
    struct thread_count count = {.threads = 0};
    struct error err = ERROR_INIT;
    if (run_threads(run, &count, &err) != ERR_OK) {
        doctor_add(report, DOCTOR_MACHINE, DOCTOR_MISSING, "threads", "set or unset it", "%s",
                   err.msg);
        return;
    }
    doctor_add(report, DOCTOR_MACHINE, DOCTOR_OK, "threads", "", "%s", count.reason);
}

static void add_memory(struct doctor_report *report, const struct machine *machine) {
    bool enough = machine->memory_available_bytes >= MEMORY_COMFORTABLE;
    doctor_add(report, DOCTOR_MACHINE, enough ? DOCTOR_OK : DOCTOR_SLOW, "memory",
               "a model of 135M parameters trains in about 4 GiB: stop other programs or choose a "
               "smaller model, or it will swap",
               "%.1f GiB, %.1f GiB available", gib(machine->memory_total_bytes),
               gib(machine->memory_available_bytes));
}

/* Cuts a path to its nearest folder that exists. */
static void cut_to_existing(char path[PATH_MAX]) {
    while (path[0] && access(path, F_OK) != 0) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path) {
            path[slash ? 1 : 0] = '\0';
            return;
        }
        *slash = '\0';
    }
}

static void add_disk(struct doctor_report *report, const char *topic, const char *path) {
    int64_t free_bytes = 0;
    struct error err = ERROR_INIT;
    if (machine_disk_free(path, &free_bytes, &err) != ERR_OK) {
        doctor_add(report, DOCTOR_MACHINE, DOCTOR_SLOW, topic, "check that the folder exists", "%s",
                   err.msg);
        return;
    }
    bool writable = access(path, W_OK) == 0;
    bool enough = writable && free_bytes >= DISK_COMFORTABLE;
    const char *advice = writable ? "checkpoints of a model of 135M parameters take 1.6 GB each: "
                                    "free some space or work elsewhere"
                                  : "not writable: work in a folder that is";
    doctor_add(report, DOCTOR_MACHINE, enough ? DOCTOR_OK : DOCTOR_SLOW, topic, advice,
               "%.1f GiB free at %s", gib(free_bytes), path);
}

static void add_disks(struct doctor_report *report) {
    char path[PATH_MAX];
    add_disk(report, "disk here", getcwd(path, sizeof path) ? path : ".");
    cache_folder(path);
    cut_to_existing(path);
    if (path[0]) {
        add_disk(report, "disk cache", path);
    }
}

static void add_libraries(struct doctor_report *report) {
    struct version_library libraries[VERSION_LIBRARY_COUNT];
    version_libraries(libraries);
    for (size_t i = 0; i < VERSION_LIBRARY_COUNT; i++) {
        doctor_add(report, DOCTOR_LIBRARIES, DOCTOR_OK, libraries[i].name, "", "%s",
                   libraries[i].version);
    }
}

void doctor_look_at_machine(struct doctor_report *report, const struct run *run) {
    struct machine machine;
    machine_look(&machine);
    add_processor(report, &machine);
    add_instructions(report, &machine);
    add_threads(report, run);
    add_memory(report, &machine);
    add_disks(report);
    add_libraries(report);
}
