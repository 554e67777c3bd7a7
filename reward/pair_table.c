/* pair_table.c - see pair_table.h. */
#include "reward/pair_table.h"

#include "base/mem.h"
#include "base/scoped.h"

#include <math.h>
#include <stdbool.h>

/* One pair of one comparison, seen from its item `i`, the smaller. */
struct pair {
    int32_t i, j;
    int8_t side;    /* as of cells */
    int8_t outcome; /* 0: i won; 1: j won; 2: tie */
    double weight;
};

/* A pair in a bucket of one of its items. */
struct record {
    int32_t item; /* the other one */
    int8_t side, outcome;
    double weight;
};

static struct pair pair_of(const struct comparison_set *set, int64_t c, int64_t better,
                           int64_t worse) {
    int32_t first = set->positions ? set->positions[better] : 0;
    int32_t second = set->positions ? set->positions[worse] : 0;
    int8_t side = 0;
    if (first > 0 && second > 0 && first != second) {
        side = first < second ? 1 : -1;
    }
    bool is_tie = set->ranks[better] == set->ranks[worse];
    struct pair pair = {.i = set->items[better],
                        .j = set->items[worse],
                        .side = side,
                        .outcome = is_tie ? 2 : 0,
                        .weight = set->weights[c]};
    if (pair.i > pair.j) {
        pair.i = set->items[worse];
        pair.j = set->items[better];
        pair.side = (int8_t)-side;
        pair.outcome = is_tie ? 2 : 1;
    }
    return pair;
}

struct pair_visitor {
    void (*take)(void *context, const struct pair *pair);
    void *context;
};

static void each_pair_of(const struct comparison_set *set, int64_t c, enum pair_ties ties,
                         const struct pair_visitor *visitor) {
    int64_t end = set->starts[c + 1];
    bool is_open = set->last_unordered && set->last_unordered[c];
    for (int64_t m = set->starts[c]; m < end; m++) {
        bool is_unordered = is_open && set->ranks[m] == set->ranks[end - 1];
        for (int64_t w = m + 1; w < end; w++) {
            bool is_tie = set->ranks[m] == set->ranks[w];
            if (!is_tie || (!is_unordered && ties != PAIR_TIES_DROP)) {
                struct pair pair = pair_of(set, c, m, w);
                visitor->take(visitor->context, &pair);
            }
        }
    }
}

/* Hands over each pair of the set that goes into the table, in the order of the set. */
static void each_pair(const struct comparison_set *set, enum pair_ties ties,
                      void (*take)(void *context, const struct pair *pair), void *context) {
    const struct pair_visitor visitor = {.take = take, .context = context};
    for (int64_t c = 0; c < set->count; c++) {
        each_pair_of(set, c, ties, &visitor);
    }
}

struct sorting {
    int64_t *by_other; /* [I + 1] */
    int64_t *by_item;  /* [I + 1] */
    struct record *records;
};

static void count_pair(void *context, const struct pair *pair) {
    struct sorting *sorting = context;
    sorting->by_other[pair->j + 1]++;
    sorting->by_item[pair->i + 1]++;
}

/* Puts it into the bucket of its larger item. */
static void place_pair(void *context, const struct pair *pair) {
    struct sorting *sorting = context;
    sorting->records[sorting->by_other[pair->j]++] = (struct record){
        .item = pair->i, .side = pair->side, .outcome = pair->outcome, .weight = pair->weight};
}

static void make_starts(int64_t *counts, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        counts[i + 1] += counts[i];
    }
}

/* After buckets are filled each start has become the start of the next. */
static void restore_starts(int64_t *starts, int64_t n) {
    for (int64_t i = n; i > 0; i--) {
        starts[i] = starts[i - 1];
    }
    starts[0] = 0;
}

/* Moves records from the buckets of their larger item to those of their smaller one; within each of
 * these the larger items then ascend. */
static void sort_by_item(const struct sorting *sorting, int64_t item_count,
                         struct record *out_records) {
    for (int64_t j = 0; j < item_count; j++) {
        for (int64_t k = sorting->by_other[j]; k < sorting->by_other[j + 1]; k++) {
            struct record record = sorting->records[k];
            struct record *slot = &out_records[sorting->by_item[record.item]++];
            *slot = record;
            slot->item = (int32_t)j;
        }
    }
}

/* Sums of one pair of items: by side -1, 0, 1 and outcome. */
struct sums {
    double weights[3][3];
    bool is_used[3];
};

static void add_record(const struct record *record, enum pair_ties ties, struct sums *sums) {
    double *weights = sums->weights[record->side + 1];
    sums->is_used[record->side + 1] = true;
    if (record->outcome == 2 && ties == PAIR_TIES_HALF) {
        weights[0] += 0.5 * record->weight;
        weights[1] += 0.5 * record->weight;
    } else {
        weights[record->outcome] += record->weight;
    }
}

/* Appends the cells of items i and `other`. */
static void emit_cells(const struct sums *sums, int32_t other, struct pair_table *table) {
    for (int8_t side = -1; side <= 1; side++) {
        const double *weights = sums->weights[side + 1];
        if (!sums->is_used[side + 1]) {
            continue;
        }
        table->others[table->count] = other;
        table->sides[table->count] = side;
        table->wins[table->count] = weights[0];
        table->losses[table->count] = weights[1];
        table->ties[table->count] = weights[2];
        table->weight += weights[0] + weights[1] + weights[2];
        table->count++;
    }
}

/* Cells of the records, which are sorted; only counts them while `table` has no room. */
static int64_t count_cells(const struct record *records, const int64_t *starts,
                           int64_t item_count) {
    int64_t cells = 0;
    for (int64_t i = 0; i < item_count; i++) {
        unsigned seen = 0;
        for (int64_t k = starts[i]; k < starts[i + 1]; k++) {
            bool is_new = k == starts[i] || records[k].item != records[k - 1].item;
            unsigned bit = 1U << (records[k].side + 1);
            seen = is_new ? 0 : seen;
            cells += (seen & bit) == 0;
            seen |= bit;
        }
    }
    return cells;
}

static void fill_cells(const struct record *records, const int64_t *starts, enum pair_ties ties,
                       struct pair_table *table) {
    for (int64_t i = 0; i < table->item_count; i++) {
        table->starts[i] = table->count;
        for (int64_t k = starts[i]; k < starts[i + 1];) {
            int32_t other = records[k].item;
            struct sums sums = {.is_used = {false}};
            for (; k < starts[i + 1] && records[k].item == other; k++) {
                add_record(&records[k], ties, &sums);
            }
            emit_cells(&sums, other, table);
        }
    }
    table->starts[table->item_count] = table->count;
}

static enum err_code allocate_cells(int64_t item_count, int64_t cells, struct pair_table *table,
                                    struct error *err) {
    size_t n = (size_t)cells;
    table->item_count = item_count;
    table->starts = mem_array((size_t)item_count + 1, sizeof *table->starts);
    table->others = mem_array(n, sizeof *table->others);
    table->sides = mem_array(n, sizeof *table->sides);
    table->wins = mem_array(n, sizeof *table->wins);
    table->losses = mem_array(n, sizeof *table->losses);
    table->ties = mem_array(n, sizeof *table->ties);
    if (!table->starts || !table->others || !table->sides || !table->wins || !table->losses ||
        !table->ties) {
        return err_oom(err, "table of pairs");
    }
    return ERR_OK;
}

/* Checks weights, and counts what the table tells about the set. */
static enum err_code survey(const struct comparison_set *set, struct pair_table *table,
                            struct error *err) {
    for (int64_t c = 0; c < set->count; c++) {
        int64_t start = set->starts[c];
        int64_t end = set->starts[c + 1];
        if (!(set->weights[c] > 0.0) || !isfinite(set->weights[c])) {
            return err_set(err, ERR_DATA, "comparison %lld has weight %g; expected one above 0",
                           (long long)set->comparison_ids[c], set->weights[c]);
        }
        table->rankings += end - start > 2;
        bool is_open = set->last_unordered && set->last_unordered[c];
        for (int64_t m = start; m < end;) {
            int64_t first = m;
            while (m < end && set->ranks[m] == set->ranks[first]) {
                m++;
            }
            bool is_unordered = is_open && m == end;
            table->tied += is_unordered ? 0 : (m - first) * (m - first - 1) / 2;
        }
    }
    return ERR_OK;
}

static enum err_code sort_and_fill(const struct comparison_set *set, enum pair_ties ties,
                                   struct pair_table *table, struct error *err) {
    size_t starts_count = (size_t)set->item_count + 1;
    SCOPED(mem) int64_t *by_other = mem_array_zero(starts_count, sizeof *by_other);
    SCOPED(mem) int64_t *by_item = mem_array_zero(starts_count, sizeof *by_item);
    if (!by_other || !by_item) {
        return err_oom(err, "table of pairs");
    }
    struct sorting sorting = {.by_other = by_other, .by_item = by_item};
    each_pair(set, ties, count_pair, &sorting);
    make_starts(by_other, set->item_count);
    make_starts(by_item, set->item_count);
    table->pairs = by_item[set->item_count];
    size_t pairs = (size_t)table->pairs;
    SCOPED(mem) struct record *unsorted = mem_array(pairs, sizeof *unsorted);
    SCOPED(mem) struct record *sorted = mem_array(pairs, sizeof *sorted);
    if (!unsorted || !sorted) {
        return err_oom(err, "table of pairs");
    }
    sorting.records = unsorted;
    each_pair(set, ties, place_pair, &sorting);
    restore_starts(by_other, set->item_count);
    sort_by_item(&sorting, set->item_count, sorted);
    restore_starts(by_item, set->item_count);
    int64_t cells = count_cells(sorted, by_item, set->item_count);
    TRY(allocate_cells(set->item_count, cells, table, err));
    fill_cells(sorted, by_item, ties, table);
    return ERR_OK;
}

enum err_code pair_table_build(const struct comparison_set *set, enum pair_ties ties,
                               struct pair_table *out_table, struct error *err) {
    SCOPED(pair_table) struct pair_table table = PAIR_TABLE_INIT;
    TRY(survey(set, &table, err));
    TRY(sort_and_fill(set, ties, &table, err));
    *out_table = table;
    table = (struct pair_table)PAIR_TABLE_INIT;
    return ERR_OK;
}

static bool starts_pair(const struct pair_table *table, int64_t i, int64_t c) {
    return c == table->starts[i] || table->others[c] != table->others[c - 1];
}

static int64_t count_merged(const struct pair_table *table) {
    int64_t count = 0;
    for (int64_t i = 0; i < table->item_count; i++) {
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            count += starts_pair(table, i, c);
        }
    }
    return count;
}

static void fill_merged(const struct pair_table *table, struct pair_table *merged) {
    int64_t m = -1;
    for (int64_t i = 0; i < table->item_count; i++) {
        merged->starts[i] = m + 1;
        for (int64_t c = table->starts[i]; c < table->starts[i + 1]; c++) {
            if (starts_pair(table, i, c)) {
                m++;
                merged->others[m] = table->others[c];
                merged->sides[m] = 0;
                merged->wins[m] = merged->losses[m] = merged->ties[m] = 0.0;
            }
            merged->wins[m] += table->wins[c];
            merged->losses[m] += table->losses[c];
            merged->ties[m] += table->ties[c];
        }
    }
    merged->count = m + 1;
    merged->starts[table->item_count] = merged->count;
}

enum err_code pair_table_merge_sides(const struct pair_table *table, struct pair_table *out_table,
                                     struct error *err) {
    SCOPED(pair_table)
    struct pair_table merged = {.weight = table->weight,
                                .pairs = table->pairs,
                                .tied = table->tied,
                                .rankings = table->rankings};
    TRY(allocate_cells(table->item_count, count_merged(table), &merged, err));
    fill_merged(table, &merged);
    *out_table = merged;
    merged = (struct pair_table)PAIR_TABLE_INIT;
    return ERR_OK;
}

void pair_table_deinit(struct pair_table *table) {
    mem_free(table->starts);
    mem_free(table->others);
    mem_free(table->sides);
    mem_free(table->wins);
    mem_free(table->losses);
    mem_free(table->ties);
    *table = (struct pair_table)PAIR_TABLE_INIT;
}
