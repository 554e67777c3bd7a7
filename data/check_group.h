/* check_group.h - the comparisons of one prompt at a time, for the passes of check.h.
 *
 * Use:      SCOPED(check_group) struct check_group group = CHECK_GROUP_INIT;
 *           TRY(check_group_open(check, &group, err));
 *           bool has_group = false;
 *           TRY(check_group_next(check, &group, &has_group, err));
 *           while (has_group) { ...; TRY(check_group_next(check, &group, &has_group, err)); }
 * Memory:   about 100 bytes a comparison and 16 a member, of the largest prompt.
 * Owns:     its arrays and its statement; close it before the database.
 * Threads:  one.
 */
#ifndef DATA_CHECK_GROUP_H
#define DATA_CHECK_GROUP_H

#include "base/db.h"
#include "data/check_internal.h"

struct check_member {
    int64_t response_id;
    int32_t rank;     /* 1 is best */
    int32_t position; /* order shown, from 1; 0: not known */
};

struct check_judgement {
    int64_t id, source_id, line;
    int64_t annotator_id; /* 0: not known */
    uint64_t aspect;      /* key; 0: none */
    double weight;
    int64_t first, count; /* its members, by slot */
    bool last_unordered;
    bool contradicts;         /* counted as such */
    uint64_t signature;       /* of what it says: for finding it again */
    struct check_place again; /* where the same was said before; path NULL: nowhere */
    bool again_elsewhere;     /* in another source */
};

struct check_group {
    int64_t prompt_id;
    bool is_items;
    struct check_judgement *judgements; /* [count] by id */
    int64_t count, capacity;
    struct check_member *members; /* [member_count] */
    int64_t member_count, member_capacity;
    struct db_stmt *rows; /* stands on the first row of the next group */
    bool has_row;
};

#define CHECK_GROUP_INIT \
    { .judgements = NULL, .members = NULL, .rows = NULL }

ERR_NODISCARD enum err_code check_group_open(struct check *check, struct check_group *group,
                                             struct error *err);
ERR_NODISCARD enum err_code check_group_next(struct check *check, struct check_group *group,
                                             bool *out_has_group, struct error *err);
void check_group_close(struct check_group *group);

/* Where a judgement stands. */
struct check_place check_group_place(const struct check *check,
                                     const struct check_judgement *judgement);

/* Whether two responses of one comparison are equally good: the same rank, and not the last one of
 * a comparison whose last are unordered. */
bool check_group_is_tie(const struct check_group *group, const struct check_judgement *judgement,
                        const struct check_member *left, const struct check_member *right);

static inline void check_group_scoped_end(struct check_group *group) {
    check_group_close(group);
}

#endif
