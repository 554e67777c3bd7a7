/* fuzz_reward_file.c - an accord_reward.json from anywhere: what is accepted can be used, and reads
 * the same when it is written again. */
#include "base/mem.h"
#include "base/scoped.h"
#include "reward/pair_outcome.h"
#include "reward/reward_file.h"
#include "tests/fuzz/fuzz_target.h"

#include <math.h>
#include <string.h>

static bool is_same(double left, double right) {
    return left == right || (isnan(left) && isnan(right));
}

static void check_use(const struct reward_file *file) {
    const struct pair_outcome p =
        pair_outcome_of(file->model, 3.0 / file->temperature, file->tie_parameter);
    FUZZ_CHECK(fabs(p.win + p.loss + p.tie - 1.0) <= 1e-9);
    FUZZ_CHECK(p.win >= p.loss);
    FUZZ_CHECK(isnan(file->temperature_low) || (file->temperature_low <= file->temperature &&
                                                file->temperature <= file->temperature_high));
}

static void check_rewriting(const struct reward_file *file) {
    struct error err = ERROR_INIT;
    struct reward_file again;
    SCOPED(strbuf) struct strbuf text = STRBUF_INIT(1U << 16);
    FUZZ_CHECK(reward_file_format(file, &text, &err) == ERR_OK);
    FUZZ_CHECK(reward_file_parse(text.bytes, text.length, "again", &again, &err) == ERR_OK);
    FUZZ_CHECK(again.model == file->model && again.kind == file->kind);
    FUZZ_CHECK(again.pairs == file->pairs && again.prompts == file->prompts);
    FUZZ_CHECK(is_same(again.tie_parameter, file->tie_parameter));
    FUZZ_CHECK(is_same(again.temperature, file->temperature));
    FUZZ_CHECK(is_same(again.temperature_low, file->temperature_low));
    FUZZ_CHECK(is_same(again.temperature_high, file->temperature_high));
    FUZZ_CHECK(is_same(again.judgements, file->judgements));
    FUZZ_CHECK(is_same(again.nll_before, file->nll_before));
    FUZZ_CHECK(is_same(again.nll_after, file->nll_after));
    FUZZ_CHECK(hash_equal(&again.data_hash, &file->data_hash));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    struct error err = ERROR_INIT;
    struct reward_file file;
    if (reward_file_parse((const char *)bytes, count, "fuzz", &file, &err) != ERR_OK) {
        FUZZ_CHECK(err.msg[0] != '\0');
        return 0;
    }
    check_use(&file);
    check_rewriting(&file);
    return 0;
}
