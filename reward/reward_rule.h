/* reward_rule.h - rewards by rule: the length of an answer, a pattern, valid JSON.
 *
 * Use:      SCOPED(reward) struct reward *reward = NULL;
 *           TRY(reward_rule_open("2*regex:^(Yes|No)\\b", &reward, err));
 *           TRY(reward_score(reward, items, count, rewards, err));
 * Grammar:  [WEIGHT*]RULE[:ARGUMENT], the reward being WEIGHT (1 if not said) times
 *               length               characters of the answer
 *               length:0.01          the same, 0.01 each
 *               length:0.01@200      0.01 less for each character more or less than 200: 0 at best
 *               regex:PATTERN        1 where PATTERN is found in the answer, else 0
 *               not-regex:PATTERN    0 where it is found, else 1
 *               json                 1 where the whole answer is one JSON value, else 0
 *           All after the first ':' is the pattern, whatever is in it.
 * Meaning:  the answer is answer_text.h's; a character is a code point. Patterns are base/regex.h's
 *           for UTF-8 and may match anywhere ('^', '$', "(?i)" as in Perl). JSON is what
 *           base/json.h reads, so neither duplicate keys nor NaN nor nesting beyond 64.
 * Prompt:   not looked at.
 * Threads:  one.
 */
#ifndef REWARD_REWARD_RULE_H
#define REWARD_REWARD_RULE_H

#include "reward/reward.h"

/* `*out_reward` is owned. A pattern that takes too many steps on an answer fails there, ERR_LIMIT.
 *   fails    ERR_CONFIG with the spec and what is wrong with it, ERR_OOM */
ERR_NODISCARD enum err_code reward_rule_open(const char *spec, struct reward **out_reward,
                                             struct error *err);

#endif
