/* tabular_store.h - tabular fits in the project file: written by name, and read back.
 *
 * Use:      SCOPED(db_tx) struct db_tx tx = DB_TX_INIT;
 *           TRY(db_tx_open(db, &tx, err));
 *           struct tabular_record record = {.name = "tea", .read = &read, .now_ms = now};
 *           TRY(tabular_store_save(db, &set, &fit, &record, err));
 *           TRY(db_tx_commit(&tx, err));
 *
 *           SCOPED(tabular_stored) struct tabular_stored stored = TABULAR_STORED_INIT;
 *           TRY(tabular_store_load(db, "tea", &stored, err));
 *           use(stored.fit.rewards[i], stored.response_ids[i]);
 * Names:    of a fit are 1 to TABULAR_NAME_BYTES_MAX printable bytes of UTF-8. Fits of one command
 *           to several populations are called "name/population".
 * Owns:     what it fills; tabular_stored_deinit releases it.
 * Threads:  as base/db.h.
 */
#ifndef REWARD_TABULAR_STORE_H
#define REWARD_TABULAR_STORE_H

#include "base/db.h"
#include "base/error.h"
#include "data/comparison_set.h"
#include "reward/tabular_fit.h"

#include <stdbool.h>
#include <stdint.h>

#define TABULAR_NAME_BYTES_MAX 200

/* ---- writing ---- */

struct tabular_record {
    const char *name;
    const char *why_model; /* "the comparisons hold ties"; NULL: it was asked for */
    bool replace;          /* a fit of that name; else it is an error */
    const struct comparison_set_options *read; /* what the set was loaded with */
    int64_t now_ms;
};

/* Whether a fit could be saved under that name: fails as tabular_store_save does. */
ERR_NODISCARD enum err_code tabular_store_check_name(struct db *db, const char *name, bool replace,
                                                     struct error *err);

/* Needs an open transaction.
 *   fails  ERR_CONFIG for a name that is no name; ERR_DATA for one that is taken, saying since
 *          when; as base/db.h */
ERR_NODISCARD enum err_code tabular_store_save(struct db *db, const struct comparison_set *set,
                                               const struct tabular_fit *fit,
                                               const struct tabular_record *record,
                                               struct error *err);

/* ---- reading ---- */

struct tabular_stored {
    int64_t id;
    char *name;
    char *population;  /* NULL: everybody */
    char *config_json; /* effective options */
    char *result_json;
    char *why_model; /* NULL: the model was asked for */
    int64_t created_at_ms;
    enum comparison_items items;
    struct tabular_fit fit;
    int64_t *response_ids;  /* [I]; NULL with items from origins */
    int64_t *prompt_ids;    /* [I]; NULL likewise: those of one prompt can be compared */
    char **origins;         /* [I]; NULL with items from responses */
    int64_t *annotator_ids; /* [A] of fit.reliabilities */
    char **parameter_names; /* [parameter_count] that fit.parameters borrow */
};

#define TABULAR_STORED_INIT \
    { .id = 0 }

/* `name` NULL means the only fit there is. `out` is owned.
 *   fails  ERR_CONFIG if there is none of that name, or several and no name, naming them; ERR_DATA
 *          if what is stored does not fit together */
ERR_NODISCARD enum err_code tabular_store_load(struct db *db, const char *name,
                                               struct tabular_stored *out, struct error *err);

void tabular_stored_deinit(struct tabular_stored *stored);

/* The comparisons that the fit was made from, read again. `out_set` is owned.
 *   fails  ERR_DATA where the file holds others of them now */
ERR_NODISCARD enum err_code tabular_stored_load_set(struct db *db,
                                                    const struct tabular_stored *stored,
                                                    struct comparison_set *out_set,
                                                    struct error *err);

/* Text to show for an item, on one line of at most `bytes_max` bytes, >= 3. Owned by the caller
 * (mem_free). */
ERR_NODISCARD enum err_code tabular_stored_item_text(struct db *db,
                                                     const struct tabular_stored *stored,
                                                     int64_t item, int64_t bytes_max,
                                                     char **out_text, struct error *err);

/* The item that the user means by `text`: its origin, its whole text, or "#12" for response 12.
 *   fails  ERR_USAGE if there is none, naming the nearest, or if several prompts have such an
 *          answer */
ERR_NODISCARD enum err_code tabular_stored_find_item(struct db *db,
                                                     const struct tabular_stored *stored,
                                                     const char *text, int64_t *out_item,
                                                     struct error *err);

/* Whether two items may be compared: answers to one prompt, or origins. */
bool tabular_stored_comparable(const struct tabular_stored *stored, int64_t item, int64_t other);

/* ---- which there are ---- */

struct tabular_summary {
    char *name, *model, *population, *result_json; /* population may be NULL */
    int64_t item_count;
    int64_t created_at_ms;
};

struct tabular_list {
    struct tabular_summary *fits; /* [count] by name */
    int64_t count;
};

#define TABULAR_LIST_INIT \
    { .fits = NULL, .count = 0 }

ERR_NODISCARD enum err_code tabular_store_list(struct db *db, struct tabular_list *out,
                                               struct error *err);
void tabular_list_deinit(struct tabular_list *list);

static inline void tabular_stored_scoped_end(struct tabular_stored *stored) {
    tabular_stored_deinit(stored);
}

static inline void tabular_list_scoped_end(struct tabular_list *list) {
    tabular_list_deinit(list);
}

#endif
