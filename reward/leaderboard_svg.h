/* leaderboard_svg.h - a leaderboard as a picture: a dot an item, with whiskers.
 *
 * Use:      TRY(leaderboard_svg_write(&board, &labels, &text, err));
 * Picture:  one SVG file that needs nothing else, the same bytes for the same input; readable on a
 *           light and on a dark page.
 * Threads:  no state.
 */
#ifndef REWARD_LEADERBOARD_SVG_H
#define REWARD_LEADERBOARD_SVG_H

#include "base/error.h"
#include "base/strbuf.h"
#include "reward/leaderboard.h"

struct leaderboard_labels {
    const char *title;        /* "football: davidson" */
    const char *subtitle;     /* "49,520 comparisons, maximum likelihood" */
    const char *axis;         /* "reward (nats), mean of all = 0" */
    const char *const *names; /* [rows shown] */
    int64_t rows;             /* the first so many are shown */
};

/* Appends to `out`; names are escaped, and shortened where they are long.
 *   fails  ERR_DATA for names that are not UTF-8 */
ERR_NODISCARD enum err_code leaderboard_svg_write(const struct leaderboard *board,
                                                  const struct leaderboard_labels *labels,
                                                  struct strbuf *out, struct error *err);

#endif
