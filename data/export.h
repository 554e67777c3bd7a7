/* export.h - the log written out again, in layouts that other trainers and our importers read.
 *
 * Use:      struct export_options options = {.layout = EXPORT_TRL};
 *           struct export_summary summary;
 *           TRY(export_log(db, &options, &(struct export_sink){write, file}, &summary, err));
 *
 * TRL:      JSON lines, one object a judgement, in the order of the log: all comparisons, then
 *           ratings, labels, demonstrations, prompts. TRL finds the columns it wants (preference,
 *           unpaired, prompt-completion, prompt-only) and ignores ours. The importer `judgements`
 *           reads the same objects back and knows them by the key "judgement".
 *
 *           key            value
 *           judgement      "comparison", "rating", "label", "demonstration" or "prompt"; always
 *                          there, and first
 *           prompt         text, or [{"role": ..., "content": ...}, ...]
 *           items          name of the item set, instead of "prompt"
 *           topic
 *
 *           a comparison of two responses with the ranks 1 and 2, not of items, where the prompt
 *           is text and both responses are, or the prompt is messages:
 *           chosen         the response of rank 1: text; if the prompt is messages, messages
 *           rejected       the response of rank 2, likewise
 *           chosen_origin, rejected_origin         who wrote it
 *           chosen_position, rejected_position     order shown, from 1
 *           rejected_first true: in the source the rejected one stood first
 *
 *           every other comparison:
 *           responses      [{"text": ... or "messages": [...], "origin": ..., "rank": 1,
 *                          "position": 1}, ...] as in the source; items have "text", their name
 *           last_unordered true: those of the last rank were not compared
 *
 *           all comparisons:
 *           margin         number
 *
 *           a rating:      response (text; messages as for "chosen"), origin, rating, low, high
 *           a label:       completion (likewise), origin, label (true or false)
 *           a demonstration: completion, origin
 *
 *           whatever has them:
 *           aspect, annotator, population
 *           weight         number; 1 is left out
 *           asked_at       integer, ms since 1970, UTC
 *
 *           What is not known is left out, never null. A text is the same as messages that hold
 *           only one of the role "assistant" (the log knows no difference), and is written as such
 *           beside a prompt of messages.
 *
 * Works:    one object a work:
 *           {"owner": ..., "payee_ref": ..., "cluster": ..., "title": ..., "licence": ...,
 *           "opt_out_at": "2025-11-22T03:24:05.123Z", "text": ...}, read back by the
 *           importer `works`.
 *
 * CSV:      a header and a line a judgement, RFC 4180, of one kind at a time; what is not known is
 *           empty. The importer `table` knows the columns:
 *           comparisons of two texts   prompt,response_a,response_b,winner,origin_a,origin_b
 *           of two items               home,away,winner,neutral
 *           with more than two         ranking_id,prompt,completion,rank,position_shown,origin, a
 *                                      line a response; of items
 *                                      ranking_id,item,rank,position_shown
 *           ratings                    prompt,completion,rating,scale_low,scale_high,origin; of
 *                                      items item,rating,scale_low,scale_high
 *           labels, demonstrations     prompt,completion,label,origin; without label
 *           prompts                    prompt
 *           winner is a, b or tie (of items home, away or draw), and a (home) was shown first;
 *           where the order shown is not known a is the first of the source, and `neutral` is 1.
 *           Behind these stand, where they apply, margin, item_set, topic, aspect, annotator,
 *           population, weight, time (ISO 8601). A table cannot say all that a log holds (messages,
 *           answers of the last rank that were not compared): it is refused, and TRL's layout
 *           named. Demonstrations, prompts and labels of items are for reading: the importer does
 *           not guess that a table of texts without a judgement is one of them. Not read back are
 *           the topic of a set of items, and spaces around names.
 * Errors:   of the sink and the database; ERR_DATA for a log that the layout cannot hold.
 * Threads:  no state.
 */
#ifndef DATA_EXPORT_H
#define DATA_EXPORT_H

#include "base/db.h"
#include "base/error.h"
#include "data/preference_reader.h"

#include <stdbool.h>
#include <stdint.h>

#define EXPORT_LAYOUTS(X) \
    X(TRL, "trl")         \
    X(CSV, "csv")

enum export_layout {
#define EXPORT_ENUM(name, text) EXPORT_##name,
    EXPORT_LAYOUTS(EXPORT_ENUM)
#undef EXPORT_ENUM
        EXPORT_LAYOUT_COUNT
};

struct export_options {
    enum export_layout layout;
    struct preference_filter filter;
    bool pairs_only; /* comparisons that have a chosen and a rejected response, no others */
};

/* Where the text goes: one call a row, its line end included; in CSV also one for the header. */
struct export_sink {
    enum err_code (*write)(void *context, const char *bytes, size_t count, struct error *err);
    void *context;
};

struct export_summary {
    int64_t rows;     /* judgements or works written */
    int64_t left_out; /* comparisons that are no pairs */
};

/* For CSV, `options->filter.kinds` must be one kind (ERR_USAGE). */
ERR_NODISCARD enum err_code export_log(struct db *db, const struct export_options *options,
                                       const struct export_sink *sink,
                                       struct export_summary *out_summary, struct error *err);

/* The works and their owners; of the options, only the layout counts. */
ERR_NODISCARD enum err_code export_works(struct db *db, const struct export_options *options,
                                         const struct export_sink *sink,
                                         struct export_summary *out_summary, struct error *err);

#endif
