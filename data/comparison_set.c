/* comparison_set.c - see comparison_set.h. */
#include "data/comparison_set.h"

#include "base/mem.h"
#include "base/scoped.h"
#include "base/strbuf.h"
#include "base/utf8.h"
#include "data/aspect_list.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ITEM_NONE   (-1) /* no number yet */
#define ITEM_ABSENT (-2) /* no such row */

/* Comparisons by id, members in their order in the source. The members lead, since the comparison
 * of the next member is the same or the next one, which SQLite finds without searching: three times
 * as fast as the other way round. */
static const char sql_comparisons[] =
    "SELECT c.prompt_id, c.id, c.annotator_id, c.weight, c.last_unordered, i.response_id, i.rank,"
    " coalesce(i.position, 0), c.margin"
    " FROM comparison_item i CROSS JOIN comparison c ON c.id = i.comparison_id"
    " WHERE ?1 IS NULL OR coalesce(c.aspect, '" ASPECT_NONE "') = ?1"
    " ORDER BY i.comparison_id, i.slot";

#define SQL_IS_ASKED(rating) "(?1 IS NULL OR coalesce(" rating ".aspect, '" ASPECT_NONE "') = ?1)"
#define SQL_TOGETHER         "(PARTITION BY r.prompt_id, g.annotator_id, g.source_id, g.low, g.high"

/* The same columns from ratings; a comparison is numbered by its first rating, and has its least
 * weight. A single value is taken as it is, since a mean of one may differ in its last bit. */
static const char sql_ratings[] =
    "WITH given AS (SELECT min(g.id) AS id, g.response_id, g.annotator_id, g.source_id, g.low,"
    "  g.high, total(g.weight) AS weight,"
    "  iif(count(*) = 1, max(g.value), total(g.weight * g.value) / total(g.weight)) AS value"
    " FROM rating g WHERE " SQL_IS_ASKED(
        "g") " AND (g.annotator_id IS NULL"
             "      OR g.id = (SELECT max(h.id) FROM rating h WHERE h.response_id = g.response_id"
             "                 AND h.annotator_id = g.annotator_id AND h.source_id = g.source_id"
             "                 AND h.low IS g.low AND h.high IS g.high AND " SQL_IS_ASKED(
                 "h") "))"
                      " GROUP BY g.response_id, g.annotator_id, g.source_id, g.low, g.high)"
                      " SELECT r.prompt_id, min(g.id) OVER " SQL_TOGETHER "), g.annotator_id,"
                      " min(g.weight) OVER " SQL_TOGETHER "), 0, g.response_id,"
                      " dense_rank() OVER " SQL_TOGETHER " ORDER BY g.value DESC), 0, NULL"
                      " FROM given g JOIN response r ON r.id = g.response_id"
                      " ORDER BY r.prompt_id, 2, 7, g.id";

/* The same columns from labels: rank 1 is good, 2 bad. */
static const char sql_labels[] =
    "SELECT r.prompt_id, g.id, g.annotator_id, g.weight, 0, g.response_id, 2 - g.good, 0, NULL"
    " FROM label g JOIN response r ON r.id = g.response_id"
    " WHERE " SQL_IS_ASKED("g") " ORDER BY g.id";

/* What the choices of `from` are read from. */
static const struct {
    const char *rows, *members;
    enum aspects_of aspects;
    const char *name; /* behind "the log has no " */
    int64_t members_min;
} kinds[] = {
    [COMPARISON_FROM_COMPARISONS] = {sql_comparisons, "SELECT count(*) FROM comparison_item",
                                     ASPECTS_OF_COMPARISONS, "comparisons", 2},
    [COMPARISON_FROM_RATINGS] = {sql_ratings, "SELECT count(*) FROM rating", ASPECTS_OF_RATINGS,
                                 "comparisons from ratings", 2},
    [COMPARISON_FROM_LABELS] = {sql_labels, "SELECT count(*) FROM label", ASPECTS_OF_LABELS,
                                "labels", 1},
};

/* Numbers of rows by id, for ids that are dense because nothing is deleted. */
struct id_map {
    int32_t *indices; /* [size] by id; ITEM_NONE where not seen */
    int64_t size;
};

/* Who wrote the responses. */
struct origins {
    struct id_map of; /* by response */
    int64_t count;
    char **names;   /* [count]; handed over to the set when first compared */
    int32_t *items; /* [count] or ITEM_NONE */
};

struct loader {
    struct db *db;
    const struct comparison_set_options *options;
    struct comparison_set *set;
    struct split_shares shares;
    struct id_map items; /* by response; unused with items from origins */
    struct origins origins;
    struct id_map annotators; /* by annotator; with a population, others are left out */
    struct id_map blocks;     /* by prompt */
    struct id_map asked_for;  /* by prompt: whether it is asked for; unused when all are */
    int64_t *last_seen;       /* by response or origin: comparison that held it last, from 1 */
    int64_t *members;         /* response ids of the comparison being read */
    int64_t seen;             /* comparisons so far, dropped ones included */
    struct db_stmt *prompt;   /* kind, hash and topic; NULL when every prompt is wanted */
    /* the comparison now being put together */
    int64_t comparison_id; /* 0: none */
    int64_t prompt_id;
    int64_t member_count;
    bool wanted, has_twice;
};

static void loader_scoped_end(struct loader *l) {
    mem_free(l->items.indices);
    for (int64_t o = 0; o < l->origins.count; o++) {
        mem_free(l->origins.names[o]);
    }
    mem_free(l->origins.names);
    mem_free(l->origins.items);
    mem_free(l->origins.of.indices);
    mem_free(l->annotators.indices);
    mem_free(l->blocks.indices);
    mem_free(l->asked_for.indices);
    mem_free(l->last_seen);
    mem_free(l->members);
    db_stmt_close(l->prompt);
}

/* ---- counting and allocating ---- */

struct id_table {
    const char *sql_max, *sql_count, *sql_ids;
};

#define ID_TABLE(name)                                                          \
    {                                                                           \
        "SELECT coalesce(max(id), 0) FROM " name, "SELECT count(*) FROM " name, \
            "SELECT id FROM " name                                              \
    }

static const struct id_table responses = ID_TABLE("response");
static const struct id_table prompts = ID_TABLE("prompt");
static const struct id_table annotators = ID_TABLE("annotator");

static enum err_code mark_present(struct db *db, const char *sql_ids, struct id_map *map,
                                  struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db, sql_ids, &stmt, err));
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    while (has_row) {
        int64_t id = 0;
        TRY(db_column_i64(stmt, 0, &id, err));
        if (id > 0) {
            map->indices[id] = ITEM_NONE;
        }
        TRY(db_stmt_step(stmt, &has_row, err));
    }
    return ERR_OK;
}

/* Ids are 1, 2, ... since nothing is deleted; where somebody did delete, it looks which there are.
 */
static enum err_code id_map_open(struct db *db, const struct id_table *table, struct id_map *map,
                                 struct error *err) {
    int64_t count = 0;
    TRY(db_query_i64(db, table->sql_max, &map->size, err));
    TRY(db_query_i64(db, table->sql_count, &count, err));
    if (map->size >= INT32_MAX) {
        return err_set(err, ERR_LIMIT, "an id is %" PRId64 ", limit %" PRId32, map->size,
                       INT32_MAX - 1);
    }
    bool is_dense = count == map->size;
    map->size = (map->size > 0 ? map->size : 0) + 1;
    map->indices = mem_array((size_t)map->size, sizeof *map->indices);
    if (!map->indices) {
        return err_oom(err, "numbers of items");
    }
    for (int64_t i = 0; i < map->size; i++) {
        map->indices[i] = is_dense ? ITEM_NONE : ITEM_ABSENT;
    }
    return is_dense ? ERR_OK : mark_present(db, table->sql_ids, map, err);
}

/* Of what a row refers to: a damaged file may name what is not there. */
static bool id_map_has(const struct id_map *map, int64_t id) {
    return id > 0 && id < map->size && map->indices[id] != ITEM_ABSENT;
}

static enum err_code refuse_id(const char *what, int64_t id, struct error *err) {
    return err_set(err, ERR_DATA,
                   "a judgement refers to %s %" PRId64 ", which is missing from the project file",
                   what, id);
}

static enum err_code allocate(struct loader *l, struct error *err) {
    const enum comparison_from from = l->options->from;
    int64_t members = 0;
    TRY(db_query_i64(l->db, kinds[from].members, &members, err));
    if (members > INT32_MAX) {
        return err_set(err, ERR_LIMIT, "%" PRId64 " responses in comparisons, limit %" PRId32,
                       members, INT32_MAX);
    }
    size_t items = (size_t)l->items.size;
    struct comparison_set *set = l->set;
    size_t c = (size_t)(members / kinds[from].members_min) + 1; /* one is being read */
    size_t m = (size_t)members;
    set->item_response_ids = mem_array(items, sizeof *set->item_response_ids);
    set->item_blocks = mem_array(items, sizeof *set->item_blocks);
    set->block_prompt_ids = mem_array((size_t)l->blocks.size, sizeof *set->block_prompt_ids);
    set->comparison_ids = mem_array(c, sizeof *set->comparison_ids);
    set->starts = mem_array_zero(c + 1, sizeof *set->starts);
    set->items = mem_array(m, sizeof *set->items);
    set->ranks = mem_array(m, sizeof *set->ranks);
    set->positions = mem_array(m, sizeof *set->positions);
    set->weights = mem_array(c, sizeof *set->weights);
    set->margins = mem_array(c, sizeof *set->margins);
    set->last_unordered = mem_array(c, sizeof *set->last_unordered);
    set->annotators = mem_array(c, sizeof *set->annotators);
    set->good = from == COMPARISON_FROM_LABELS ? mem_array(c, sizeof *set->good) : NULL;
    set->annotator_ids = mem_array((size_t)l->annotators.size, sizeof *set->annotator_ids);
    l->last_seen = mem_array_zero((size_t)l->items.size, sizeof *l->last_seen);
    l->members = mem_array(m, sizeof *l->members);
    if (!set->item_response_ids || !set->item_blocks || !set->block_prompt_ids ||
        !set->comparison_ids || !set->starts || !set->items || !set->ranks || !set->positions ||
        !set->weights || !set->margins || !set->last_unordered || !set->annotators ||
        !set->annotator_ids || !l->last_seen || !l->members ||
        (from == COMPARISON_FROM_LABELS && !set->good)) {
        return err_oom(err, "comparisons");
    }
    return ERR_OK;
}

/* ---- what is asked for ---- */

static enum err_code refuse_aspects(const char *wanted, int64_t count, const struct strbuf *seen,
                                    struct error *err) {
    if (wanted) {
        return err_set(err, ERR_DATA, "nothing is judged in aspect '%s'; there is %s", wanted,
                       strbuf_text(seen));
    }
    return err_set(err, ERR_DATA,
                   "the log judges %" PRId64 " aspects: %s; choose one with --aspect", count,
                   strbuf_text(seen));
}

/* The aspect chosen must be there; without one chosen there must be one only, or none. */
static enum err_code check_aspects(const struct loader *l, struct error *err) {
    const char *wanted = l->options->aspect;
    SCOPED(aspect_list) struct aspect_list aspects = ASPECT_LIST_INIT;
    TRY(aspect_list_load(l->db, kinds[l->options->from].aspects, &aspects, err));
    SCOPED(strbuf) struct strbuf seen = STRBUF_INIT(MIB);
    bool found = false;
    for (int64_t i = 0; i < aspects.count; i++) {
        const struct aspect *aspect = &aspects.items[i];
        const char *name = aspect->name ? aspect->name : ASPECT_NONE;
        found = found || (wanted && strcmp(name, wanted) == 0);
        strbuf_addf(&seen, "%s'%s' (%" PRId64 ")", i > 0 ? ", " : "", name, aspect->count);
    }
    TRY(strbuf_check(&seen, "list of aspects", err));
    bool fine = aspects.count == 0 || (wanted ? found : aspects.count == 1);
    return fine ? ERR_OK : refuse_aspects(wanted, aspects.count, &seen, err);
}

/* Numbers the annotators, or those of the population that is asked for. */
static enum err_code load_annotators(struct loader *l, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(l->db,
                     "SELECT id FROM annotator WHERE ?1 IS NULL OR population IS ?1 ORDER BY id",
                     &stmt, err));
    const char *population = l->options->population;
    db_bind_text_or_null(stmt, 1, population);
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    while (has_row) {
        int64_t id = 0;
        TRY(db_column_i64(stmt, 0, &id, err));
        if (!id_map_has(&l->annotators, id)) {
            return refuse_id("annotator", id, err);
        }
        l->annotators.indices[id] = (int32_t)l->set->annotator_count;
        l->set->annotator_ids[l->set->annotator_count++] = id;
        TRY(db_stmt_step(stmt, &has_row, err));
    }
    if (population && l->set->annotator_count == 0) {
        return err_set(err, ERR_DATA, "no annotator is of population '%s'; accord stats lists them",
                       population);
    }
    return ERR_OK;
}

/* One more origin, unless it is the one before: they come in order. */
static enum err_code add_origin(struct origins *origins, const char *name, size_t bytes,
                                struct error *err) {
    int64_t last = origins->count - 1;
    if (last >= 0 && strcmp(origins->names[last], name) == 0) {
        return ERR_OK;
    }
    origins->names[origins->count] = mem_strndup(name, bytes);
    if (!origins->names[origins->count]) {
        return err_oom(err, "names of origins");
    }
    origins->items[origins->count++] = ITEM_NONE;
    return ERR_OK;
}

static enum err_code load_origins(struct loader *l, struct error *err) {
    struct origins *origins = &l->origins;
    int64_t count = 0;
    TRY(db_query_i64(l->db, "SELECT count(DISTINCT origin) FROM response", &count, err));
    TRY(id_map_open(l->db, &responses, &origins->of, err));
    origins->names = mem_array((size_t)count, sizeof *origins->names);
    origins->items = mem_array((size_t)count, sizeof *origins->items);
    l->set->item_names = mem_array_zero((size_t)count, sizeof *l->set->item_names);
    if (!origins->names || !origins->items || !l->set->item_names) {
        return err_oom(err, "names of origins");
    }
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(l->db,
                     "SELECT id, origin FROM response WHERE origin IS NOT NULL ORDER BY origin, id",
                     &stmt, err));
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    while (has_row) {
        int64_t id = 0;
        const char *name = NULL;
        size_t bytes = 0;
        TRY(db_column_i64(stmt, 0, &id, err));
        TRY(db_column_text(stmt, 1, &name, &bytes, err));
        TRY(add_origin(origins, name, bytes, err));
        if (!id_map_has(&origins->of, id)) {
            return refuse_id("response", id, err);
        }
        origins->of.indices[id] = (int32_t)(origins->count - 1);
        TRY(db_stmt_step(stmt, &has_row, err));
    }
    return ERR_OK;
}

/* Whether the prompt at hand in the statement is in the split and of the topic asked for. */
static enum err_code read_wanted(struct loader *l, int32_t *out_wanted, struct error *err) {
    const struct comparison_set_options *o = l->options;
    enum split split = SPLIT_TRAIN;
    TRY(split_read(l->prompt, 0, &l->shares, &split, err));
    const char *topic = NULL;
    size_t topic_bytes = 0;
    if (!db_column_is_null(l->prompt, 2)) {
        TRY(db_column_text(l->prompt, 2, &topic, &topic_bytes, err));
    }
    *out_wanted = (!o->one_split || split == o->split) &&
                  (!o->topic || (topic && strcmp(topic, o->topic) == 0));
    return ERR_OK;
}

static enum err_code prompt_is_wanted(struct loader *l, int64_t prompt_id, bool *out_wanted,
                                      struct error *err) {
    *out_wanted = true;
    if (!l->prompt) {
        return ERR_OK;
    }
    int32_t *wanted = &l->asked_for.indices[prompt_id];
    if (*wanted == ITEM_NONE) {
        db_bind_i64(l->prompt, 1, prompt_id);
        bool has_row = false;
        TRY(db_stmt_step(l->prompt, &has_row, err));
        if (!has_row) {
            return refuse_id("prompt", prompt_id, err);
        }
        TRY(read_wanted(l, wanted, err));
        db_stmt_reset(l->prompt);
    }
    *out_wanted = *wanted != 0;
    return ERR_OK;
}

/* ---- reading ---- */

/* Gaps in the ranks go, and the best comes first; equal ranks keep their order. */
static void sort_members(struct comparison_set *set, int64_t begin, int64_t end) {
    for (int64_t m = begin + 1; m < end; m++) {
        int32_t item = set->items[m];
        int32_t rank = set->ranks[m];
        int32_t position = set->positions[m];
        int64_t at = m;
        for (; at > begin && set->ranks[at - 1] > rank; at--) {
            set->items[at] = set->items[at - 1];
            set->ranks[at] = set->ranks[at - 1];
            set->positions[at] = set->positions[at - 1];
        }
        set->items[at] = item;
        set->ranks[at] = rank;
        set->positions[at] = position;
    }
    int32_t dense = 0;
    int32_t before = 0;
    for (int64_t m = begin; m < end; m++) {
        dense += m == begin || set->ranks[m] != before;
        before = set->ranks[m];
        set->ranks[m] = dense;
    }
}

/* The block of the prompt being read, new or old. */
static int32_t block_now(struct loader *l) {
    struct comparison_set *set = l->set;
    int32_t *block = &l->blocks.indices[l->prompt_id];
    if (*block == ITEM_NONE) {
        *block = (int32_t)set->block_count++;
        set->block_prompt_ids[*block] = l->prompt_id;
    }
    return *block;
}

static bool has_origins(const struct loader *l) {
    return l->options->items == COMPARISON_ITEMS_ORIGINS;
}

static int32_t item_of_origin(struct loader *l, int64_t response_id) {
    struct comparison_set *set = l->set;
    int32_t origin = l->origins.of.indices[response_id];
    int32_t *item = &l->origins.items[origin];
    if (*item == ITEM_NONE) {
        *item = (int32_t)set->item_count++;
        set->item_names[*item] = MOVE(l->origins.names[origin]);
        set->item_blocks[*item] = 0;
        set->block_count = 1;
    }
    return *item;
}

/* The number of a response as an item, new or old. */
static int32_t item_of(struct loader *l, int64_t response_id) {
    if (has_origins(l)) {
        return item_of_origin(l, response_id);
    }
    struct comparison_set *set = l->set;
    int32_t *item = &l->items.indices[response_id];
    if (*item == ITEM_NONE) {
        *item = (int32_t)set->item_count++;
        set->item_response_ids[*item] = response_id;
        set->item_blocks[*item] = block_now(l);
    }
    return *item;
}

/* Takes in what was put together, or drops it. */
static void end_comparison(struct loader *l) {
    struct comparison_set *set = l->set;
    bool is_comparison = l->comparison_id != 0 && l->wanted &&
                         l->member_count >= kinds[l->options->from].members_min;
    set->identical += is_comparison && l->has_twice;
    if (is_comparison && !l->has_twice) {
        int64_t begin = set->starts[set->count];
        for (int64_t m = 0; m < l->member_count; m++) {
            set->items[begin + m] = item_of(l, l->members[m]);
        }
        sort_members(set, begin, begin + l->member_count);
        set->starts[++set->count] = begin + l->member_count;
    }
    l->comparison_id = 0;
}

static enum err_code begin_comparison(struct loader *l, struct db_stmt *row, int64_t prompt_id,
                                      int64_t id, struct error *err) {
    struct comparison_set *set = l->set;
    int64_t c = set->count;
    if (!id_map_has(&l->blocks, prompt_id)) {
        return refuse_id("prompt", prompt_id, err);
    }
    l->comparison_id = id;
    l->prompt_id = prompt_id;
    l->member_count = 0;
    l->has_twice = false;
    l->seen++;
    set->annotators[c] = ITEM_NONE;
    if (!db_column_is_null(row, 2)) {
        int64_t annotator = 0;
        TRY(db_column_i64(row, 2, &annotator, err));
        if (!id_map_has(&l->annotators, annotator)) {
            return refuse_id("annotator", annotator, err);
        }
        set->annotators[c] = l->annotators.indices[annotator];
    }
    TRY(prompt_is_wanted(l, prompt_id, &l->wanted, err));
    l->wanted = l->wanted && (!l->options->population || set->annotators[c] != ITEM_NONE);
    set->comparison_ids[c] = l->options->from == COMPARISON_FROM_COMPARISONS ? id : 0;
    TRY(db_column_f64(row, 3, &set->weights[c], err));
    int64_t last_unordered = 0;
    TRY(db_column_i64(row, 4, &last_unordered, err));
    set->last_unordered[c] = last_unordered != 0;
    set->margins[c] = (double)NAN;
    return db_column_is_null(row, 8) ? ERR_OK : db_column_f64(row, 8, &set->margins[c], err);
}

static enum err_code add_member(struct loader *l, struct db_stmt *row, struct error *err) {
    struct comparison_set *set = l->set;
    int64_t response_id = 0;
    int64_t rank = 0;
    int64_t position = 0;
    TRY(db_column_i64(row, 5, &response_id, err));
    TRY(db_column_i64(row, 6, &rank, err));
    TRY(db_column_i64(row, 7, &position, err));
    if (!id_map_has(&l->items, response_id)) {
        return refuse_id("response", response_id, err);
    }
    int64_t key = response_id;
    if (has_origins(l)) {
        key = l->origins.of.indices[response_id];
        if (key == ITEM_NONE) {
            return err_set(err, ERR_DATA,
                           "response %" PRId64 " has no origin, so origins cannot be compared; "
                           "import origins (models, authors), or compare responses",
                           response_id);
        }
    }
    l->has_twice = l->has_twice || l->last_seen[key] == l->seen;
    l->last_seen[key] = l->seen;
    int64_t at = set->starts[set->count] + l->member_count;
    l->members[l->member_count++] = response_id;
    if (set->good) {
        set->good[set->count] = rank == 1;
    }
    set->ranks[at] = (int32_t)rank; /* at most PREFERENCE_PLACE_MAX, as the position */
    set->positions[at] = (int32_t)position;
    return ERR_OK;
}

static enum err_code read_row(struct loader *l, struct db_stmt *row, struct error *err) {
    int64_t prompt_id = 0;
    int64_t id = 0;
    TRY(db_column_i64(row, 0, &prompt_id, err));
    TRY(db_column_i64(row, 1, &id, err));
    if (id != l->comparison_id || prompt_id != l->prompt_id) {
        end_comparison(l);
        TRY(begin_comparison(l, row, prompt_id, id, err));
    }
    return l->wanted ? add_member(l, row, err) : ERR_OK;
}

static enum err_code read_rows(struct loader *l, struct error *err) {
    SCOPED(db_stmt) struct db_stmt *rows = NULL;
    TRY(db_stmt_open(l->db, kinds[l->options->from].rows, &rows, err));
    db_bind_text_or_null(rows, 1, l->options->aspect);
    bool has_row = false;
    TRY(db_stmt_step(rows, &has_row, err));
    while (has_row) {
        TRY(read_row(l, rows, err));
        TRY(db_stmt_step(rows, &has_row, err));
    }
    end_comparison(l);
    return ERR_OK;
}

/* Nothing is there. */
static enum err_code refuse_none(const struct loader *l, struct error *err) {
    int64_t labels = 0;
    if (l->options->from == COMPARISON_FROM_COMPARISONS) {
        TRY(db_query_i64(l->db, kinds[COMPARISON_FROM_LABELS].members, &labels, err));
    }
    if (labels > 0) {
        return err_set(err, ERR_DATA,
                       "the log has no comparisons, but %" PRId64 " labels of single answers: "
                       "'accord align --method kto' learns from those, with data.from=labels",
                       labels);
    }
    return err_set(err, ERR_DATA, "the log has no %s; accord import brings some in",
                   kinds[l->options->from].name);
}

/* Nothing is left: of how many, and which filters took them. */
static enum err_code refuse_nothing(const struct loader *l, struct error *err) {
    const struct comparison_set_options *o = l->options;
    const bool is_labels = o->from == COMPARISON_FROM_LABELS;
    if (l->seen == 0) {
        return refuse_none(l, err);
    }
    SCOPED(strbuf) struct strbuf filters = STRBUF_INIT(4096);
    if (o->aspect) {
        strbuf_addf(&filters, ", of aspect '%.200s'", o->aspect);
    }
    if (o->population) {
        strbuf_addf(&filters, ", by population '%.200s'", o->population);
    }
    if (o->topic) {
        strbuf_addf(&filters, ", on topic '%.200s'", o->topic);
    }
    if (o->one_split) {
        strbuf_addf(&filters, ", in split '%s'%s", split_name(o->split),
                    o->split == SPLIT_TRAIN ? "" : " (where sets of items never are)");
    }
    TRY(strbuf_check(&filters, "filters", err));
    return err_set(err, ERR_DATA, "none of %" PRId64 " %s is %s%s%s", l->seen, kinds[o->from].name,
                   is_labels ? "" : "between two different ",
                   is_labels        ? "left"
                   : has_origins(l) ? "origins"
                                    : "responses",
                   strbuf_text(&filters));
}

static enum err_code load(struct loader *l, struct error *err) {
    TRY(check_aspects(l, err));
    TRY(id_map_open(l->db, &responses, &l->items, err));
    TRY(id_map_open(l->db, &prompts, &l->blocks, err));
    TRY(id_map_open(l->db, &annotators, &l->annotators, err));
    TRY(allocate(l, err));
    TRY(load_annotators(l, err));
    if (l->options->one_split || l->options->topic) {
        TRY(id_map_open(l->db, &prompts, &l->asked_for, err));
        TRY(db_stmt_open(l->db, "SELECT kind, hash, topic FROM prompt WHERE id = ?1", &l->prompt,
                         err));
    }
    if (has_origins(l)) {
        TRY(load_origins(l, err));
    }
    TRY(read_rows(l, err));
    TRY(comparison_set_sort(l->set, err));
    if (l->set->count == 0) {
        return refuse_nothing(l, err);
    }
    return ERR_OK;
}

/* Origins have no response, and no prompt of their own. */
static void drop_ids_of_origins(struct comparison_set *set) {
    mem_free(set->item_response_ids);
    mem_free(set->block_prompt_ids);
    set->item_response_ids = NULL;
    set->block_prompt_ids = NULL;
}

enum err_code comparison_set_load(struct db *db, const struct comparison_set_options *options,
                                  struct comparison_set *out_set, struct error *err) {
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    SCOPED(loader)
    struct loader l = {.db = db, .options = options, .set = &set, .shares = options->shares};
    if (l.shares.validation == 0.0 && l.shares.test == 0.0) {
        l.shares = (struct split_shares)SPLIT_SHARES_DEFAULT;
    }
    TRY(load(&l, err));
    if (options->items == COMPARISON_ITEMS_ORIGINS) {
        drop_ids_of_origins(&set);
    }
    *out_set = set;
    set = (struct comparison_set)COMPARISON_SET_INIT;
    return ERR_OK;
}

void comparison_set_deinit(struct comparison_set *set) {
    for (int64_t i = 0; set->item_names && i < set->item_count; i++) {
        mem_free(set->item_names[i]);
    }
    mem_free(set->item_names);
    mem_free(set->item_response_ids);
    mem_free(set->item_blocks);
    mem_free(set->block_prompt_ids);
    mem_free(set->comparison_ids);
    mem_free(set->starts);
    mem_free(set->items);
    mem_free(set->ranks);
    mem_free(set->positions);
    mem_free(set->weights);
    mem_free(set->margins);
    mem_free(set->last_unordered);
    mem_free(set->good);
    mem_free(set->annotators);
    mem_free(set->annotator_ids);
    *set = (struct comparison_set)COMPARISON_SET_INIT;
}

/* ---- looking at it ---- */

bool comparison_set_has_rankings(const struct comparison_set *set) {
    for (int64_t c = 0; c < set->count; c++) {
        if (set->starts[c + 1] - set->starts[c] > 2) {
            return true;
        }
    }
    return false;
}

bool comparison_set_has_counts(const struct comparison_set *set) {
    for (int64_t c = 0; c < set->count; c++) {
        if (set->weights[c] != floor(set->weights[c])) {
            return false;
        }
    }
    return true;
}

/* ---- names to show ---- */

static enum err_code shorten(const char *text, size_t bytes, int64_t bytes_max, char **out_text,
                             struct error *err) {
    size_t room = (size_t)bytes_max + 1;
    SCOPED(mem) char *shown = mem_alloc(room);
    if (!shown) {
        return err_oom(err, "name of an item");
    }
    utf8_visible(text, bytes, shown, room);
    *out_text = MOVE(shown);
    return ERR_OK;
}

enum err_code comparison_set_item_text(struct db *db, const struct comparison_set *set,
                                       int64_t item, int64_t bytes_max, char **out_text,
                                       struct error *err) {
    if (!set->item_response_ids) {
        return shorten(set->item_names[item], strlen(set->item_names[item]), bytes_max, out_text,
                       err);
    }
    SCOPED(db_stmt) struct db_stmt *stmt = NULL;
    TRY(db_stmt_open(db,
                     "SELECT CASE kind WHEN 'chat' THEN"
                     " coalesce(json_extract(content, '$[0].content'), content)"
                     " ELSE content END FROM response WHERE id = ?1",
                     &stmt, err));
    db_bind_i64(stmt, 1, set->item_response_ids[item]);
    bool has_row = false;
    TRY(db_stmt_step(stmt, &has_row, err));
    if (!has_row) {
        return err_set(err, ERR_INTERNAL, "response %" PRId64 " is gone",
                       set->item_response_ids[item]);
    }
    const char *text = NULL;
    size_t bytes = 0;
    TRY(db_column_text(stmt, 0, &text, &bytes, err));
    return shorten(text, bytes, bytes_max, out_text, err);
}
