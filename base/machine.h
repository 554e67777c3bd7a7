/* machine.h - what this machine is: system, processor, memory, disk.
 *
 * Use:      struct machine machine;
 *           machine_look(&machine);
 *           int64_t free_bytes = 0;
 *           TRY(machine_disk_free("runs", &free_bytes, err));
 *
 * Failing:  what cannot be found out is empty or 0; a machine is described as far as it goes.
 * Source:   Linux: uname(2), /proc/cpuinfo, /proc/meminfo, the cgroup's memory.max.
 * Threads:  no state.
 */
#ifndef BASE_MACHINE_H
#define BASE_MACHINE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define MACHINE_TEXT_BYTES 128

/* Instruction sets that decide how fast we compute: our name, the flag in /proc/cpuinfo. */
#define MACHINE_FEATURES(X)                       \
    X(AVX2, "AVX2", "avx2")                       \
    X(FMA, "FMA", "fma")                          \
    X(AVX512, "AVX-512", "avx512f")               \
    X(AVX512_BF16, "AVX-512-bf16", "avx512_bf16") \
    X(AMX_BF16, "AMX-bf16", "amx_bf16")

enum machine_feature {
#define MACHINE_FEATURE_ENUM(name, text, flag) MACHINE_FEATURE_##name,
    MACHINE_FEATURES(MACHINE_FEATURE_ENUM)
#undef MACHINE_FEATURE_ENUM
        MACHINE_FEATURE_COUNT
};

struct machine {
    char system[MACHINE_TEXT_BYTES];    /* "Linux 6.1.0-18-amd64, x86_64" */
    char processor[MACHINE_TEXT_BYTES]; /* model name */
    bool features[MACHINE_FEATURE_COUNT];
    int64_t memory_total_bytes;     /* of the machine, or of the container if it is less */
    int64_t memory_available_bytes; /* without swapping, at this moment */
};

void machine_look(struct machine *out);

/* "AVX-512". Static. */
const char *machine_feature_name(enum machine_feature feature);

/* The most memory that this process has had resident, in bytes (getrusage). */
int64_t machine_memory_peak(void);

/* Bytes that this user may still write on the file system holding `path`.
 *   fails  ERR_IO */
ERR_NODISCARD enum err_code machine_disk_free(const char *path, int64_t *out_bytes,
                                              struct error *err);

/* The parts of machine_look that read text, for tests: /proc/cpuinfo, and a line of /proc/meminfo
 * ("MemTotal") in bytes, 0 if it is not there. */
void machine_read_cpuinfo(const char *text, struct machine *out);
int64_t machine_read_meminfo(const char *text, const char *key);

#endif
