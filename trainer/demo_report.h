/* demo_report.h - the last screen of the demonstration: what was fitted and what the policies say,
 * beside the truth; and whether the truth was met.
 *
 * Limits:   a difference of rewards may be 3 standard errors of the votes (demo_world_error) and
 * 0.05 nats from the truth; a share of the matched policy 3 standard errors of votes and prompts
 * together, and 2 points. Threads:  no state.
 */
#ifndef TRAINER_DEMO_REPORT_H
#define TRAINER_DEMO_REPORT_H

#include "trainer/demo_measure.h"

/* Policy, its key in JSON, its column. */
#define DEMO_POLICIES(X)       \
    X(START, "start", "start") \
    X(KL, "kl", "KL")          \
    X(MATCHED, "matched", "matched")

enum demo_policy {
#define DEMO_POLICY_ENUM(name, key, title) DEMO_POLICY_##name,
    DEMO_POLICIES(DEMO_POLICY_ENUM)
#undef DEMO_POLICY_ENUM
        DEMO_POLICY_COUNT
};

#define DEMO_PICTURE "shares.svg" /* in the folder: demo_chart.h */

struct demo_result {
    uint64_t seed;
    double votes[DEMO_TOPICS]; /* on training prompts */
    int64_t prompts, samples;  /* that were asked, of each policy; answers to each */
    struct demo_rewards rewards;
    struct demo_shares shares[DEMO_POLICY_COUNT];
    double seconds;
    const char *folder; /* that is kept; NULL: none */
};

/* Mean distance, over all answers of the world, of a policy's share from the people's: in [0, 1].
 */
double demo_report_distance(const struct demo_result *result, enum demo_policy policy);

void demo_report_add_text(struct strbuf *out, const struct demo_result *result, bool bold);
ERR_NODISCARD enum err_code
demo_report_add_json(struct strbuf *out, const struct demo_result *result, struct error *err);

/* ERR_LIMIT naming the first number beyond its limit, with both. */
ERR_NODISCARD enum err_code demo_report_check(const struct demo_result *result, struct error *err);

#endif
