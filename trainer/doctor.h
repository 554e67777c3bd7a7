/* doctor.h - the report of `accord doctor`: what is found, and what would be slow.
 *
 * Use:      struct doctor_report report = {.count = 0};
 *           doctor_look_at_machine(&report, run);
 *           doctor_add(&report, DOCTOR_TENSORS, DOCTOR_OK, "OpenMP", "", "one libgomp");
 *           return doctor_finish(&report, run, err);
 *
 * Threads:  no state.
 */
#ifndef TRAINER_DOCTOR_H
#define TRAINER_DOCTOR_H

#include "base/error.h"
#include "trainer/run.h"

#define DOCTOR_FINDINGS_MAX 64
#define DOCTOR_TOPIC_BYTES  32
#define DOCTOR_VALUE_BYTES  256
#define DOCTOR_ADVICE_BYTES 512

#define DOCTOR_SECTIONS(X)    \
    X(MACHINE, "Machine")     \
    X(LIBRARIES, "Libraries") \
    X(TENSORS, "Tensors")

/* MISSING: a command would not work. SLOW: works, but better is possible. */
#define DOCTOR_VERDICTS(X) \
    X(OK, "ok")            \
    X(SLOW, "slow")        \
    X(MISSING, "missing")

enum doctor_section {
#define DOCTOR_SECTION_ENUM(name, title) DOCTOR_##name,
    DOCTOR_SECTIONS(DOCTOR_SECTION_ENUM)
#undef DOCTOR_SECTION_ENUM
        DOCTOR_SECTION_COUNT
};

enum doctor_verdict {
#define DOCTOR_VERDICT_ENUM(name, text) DOCTOR_##name,
    DOCTOR_VERDICTS(DOCTOR_VERDICT_ENUM)
#undef DOCTOR_VERDICT_ENUM
        DOCTOR_VERDICT_COUNT
};

struct doctor_finding {
    enum doctor_section section;
    enum doctor_verdict verdict;
    char topic[DOCTOR_TOPIC_BYTES];
    char value[DOCTOR_VALUE_BYTES];
    char advice[DOCTOR_ADVICE_BYTES]; /* what would be slow or fail, and the remedy; "" for OK */
};

struct doctor_report {
    struct doctor_finding findings[DOCTOR_FINDINGS_MAX]; /* in order of section */
    int64_t count;
};

/* Texts that do not fit are cut; `advice` is ignored for OK. */
void doctor_add(struct doctor_report *report, enum doctor_section section,
                enum doctor_verdict verdict, const char *topic, const char *advice,
                const char *value_fmt, ...) ERR_FORMAT(6, 7);

/* System, processor, threads, memory, disk, and the libraries that the program itself links. */
void doctor_look_at_machine(struct doctor_report *report, const struct run *run);

/* Prints the report, as text or JSON.
 *   fails  ERR_UNAVAILABLE if anything is MISSING, after printing */
ERR_NODISCARD enum err_code doctor_finish(const struct doctor_report *report, struct run *run,
                                          struct error *err);

#endif
