/* reward_command.h - a program of the user's own as a reward, asked in JSON lines.
 *
 * Use:      struct reward_command_options options = REWARD_COMMAND_OPTIONS_DEFAULT;
 *           SCOPED(reward) struct reward *reward = NULL;
 *           TRY(reward_command_open("python3 judge.py", &options, &reward, err));
 *           TRY(reward_score(reward, items, count, rewards, err));
 *           TRY(reward_finish(reward, err));   // it ends, with status 0
 * Protocol: the command line, run by /bin/sh, is started once. It reads one JSON object a line,
 *               {"messages": [{"role": "user", "content": "Tea?"},
 *                             {"role": "assistant", "content": "Yes."}],
 *                "prompt": "Tea?", "completion": "Yes."}
 *           on standard input, and for each, in order, writes one line to standard output: a
 *           finite number, or an object {"reward": number} whose other members are ignored. It must
 *           flush its output when no more input is there, and end with status 0 when its input
 *           ends. The first question is put alone. In Python:
 *               import json, sys
 *               for line in sys.stdin:
 *                   print(len(json.loads(line)["completion"]), flush=True)
 * Fields:   `messages` is the whole conversation, the answer included; `prompt` the text of its
 *           last user turn before the answer, null if there is none; `completion` the answer's text
 *           (answer_text.h).
 * Errors:   a program that dies, answers something else, too much, too little or too late is an
 *           error with the number of the answer and the last line of its standard error; no answer
 *           of that call is to be used then, and the program is gone. Ctrl-C ends the wait, unless
 *           `finishes` says otherwise.
 * Threads:  one.
 */
#ifndef REWARD_REWARD_COMMAND_H
#define REWARD_REWARD_COMMAND_H

#include "reward/reward.h"

#include <stdbool.h>
#include <stdint.h>

struct reward_command_options {
    int64_t timeout_ms; /* for the answers to one batch, the start of the program included */
    int64_t batch_max;  /* answers it is asked for at a time */
    bool finishes;      /* Ctrl-C does not end the wait: who asks stops afterwards, in good order */
};

#define REWARD_COMMAND_OPTIONS_DEFAULT \
    { .timeout_ms = 300 * 1000, .batch_max = 64 }

/* `options` NULL means the defaults. `*out_reward` is owned. A command that is not found shows at
 * the first batch, since a shell starts it.
 *   fails    ERR_CONFIG for an empty line or options below 1, ERR_IO, ERR_OOM */
ERR_NODISCARD enum err_code reward_command_open(const char *line,
                                                const struct reward_command_options *options,
                                                struct reward **out_reward, struct error *err);

#endif
