/* reward_file.h - accord_reward.json: how the scores of a reward model are to be read, beside its
 * weights.
 *
 * Use:      TRY(reward_file_write(folder, &file, err));
 *           TRY(reward_file_read(folder, &file, err));
 *           double p = pair_sigmoid(margin / file.temperature);
 * Format:   docs/methods/reward_calibration.md. Keys in any order, each once; a key that is not
 *           known is refused, and so is a version that is newer.
 * Threads:  no state.
 */
#ifndef REWARD_REWARD_FILE_H
#define REWARD_REWARD_FILE_H

#include "base/error.h"
#include "base/hash.h"
#include "base/strbuf.h"
#include "reward/reward_calibration.h"

#include <stddef.h>
#include <stdint.h>

#define REWARD_FILE_NAME    "accord_reward.json"
#define REWARD_FILE_VERSION 1

#define REWARD_FILE_TEMPLATE_BYTES 32

struct reward_file {
    /* Chat template, by name, that prompts and answers are put into; "": the tokenizer's own. */
    char template[REWARD_FILE_TEMPLATE_BYTES];
    enum tabular_model model; /* TABULAR_BRADLEY_TERRY, TABULAR_DAVIDSON or TABULAR_RAO_KUPPER */
    double tie_parameter;     /* ln nu, eta; NaN for bradley-terry */
    enum reward_calibration_kind kind;
    double temperature;                       /* > 0 */
    double temperature_low, temperature_high; /* 95 %; NaN where there is no interval */
    /* what it was calibrated on; all zero for REWARD_CALIBRATION_NONE */
    int64_t pairs, prompts;
    double judgements;            /* sum of their weights */
    double nll_before, nll_after; /* nats a judgement */
    struct hash_digest data_hash; /* SHA-256 of whatever held the judgements */
};

/* What a calibration says, for the judgements whose hash is given. */
struct reward_file reward_file_of(const struct reward_calibration *calibration,
                                  const struct hash_digest *data_hash);

/* Of a model that nobody calibrated: temperature 1. With `tie_parameter` as above. */
struct reward_file reward_file_uncalibrated(enum tabular_model model, double tie_parameter);

/* Replaces the file in an existing folder, whole or not at all.
 *   fails  ERR_DATA for values that could not be read back; ERR_IO; ERR_OOM */
ERR_NODISCARD enum err_code reward_file_write(const char *folder, const struct reward_file *file,
                                              struct error *err);

/*   fails  ERR_DATA for anything that is not as described, naming the key; ERR_IO; ERR_OOM */
ERR_NODISCARD enum err_code reward_file_read(const char *folder, struct reward_file *out_file,
                                             struct error *err);

/* The file as text, added to `out`. */
ERR_NODISCARD enum err_code reward_file_format(const struct reward_file *file, struct strbuf *out,
                                               struct error *err);

/* As reward_file_read of text; `name` stands in messages. */
ERR_NODISCARD enum err_code reward_file_parse(const char *bytes, size_t count, const char *name,
                                              struct reward_file *out_file, struct error *err);

#endif
