/* fit_pairs.c - times a pair model on comparisons from a file; the C half of bench_tabular.py.
 *
 * Use:      fit_pairs FILE MODEL POSITION REPEATS [REWARDS]
 * File:     three little-endian int64: items I, comparisons C, 0; then C times int32 item, int32
 *           item, int32 outcome (0 the first won, 1 the second, 2 tie); the first is shown first.
 * Prints:   the seconds of each repeat, from arrays of comparisons to the fit, standard errors
 *           included where there are any; then iterations and log-likelihood. Rewards go to the
 *           file REWARDS, I doubles.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/scoped.h"
#include "reward/tabular_fit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *block) {
    if (!block) {
        (void)fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return block;
}

static void read_set(const char *path, struct comparison_set *set) {
    FILE *file = must(fopen(path, "rb"));
    int64_t head[3];
    if (fread(head, sizeof head, 1, file) != 1) {
        exit(1);
    }
    size_t items = (size_t)head[0], count = (size_t)head[1];
    int32_t(*rows)[3] = must(mem_array(count, sizeof *rows));
    if (fread(rows, sizeof *rows, count, file) != count) {
        exit(1);
    }
    (void)fclose(file);
    set->item_count = head[0];
    set->count = head[1];
    set->block_count = 1;
    set->item_blocks = must(mem_array_zero(items, sizeof *set->item_blocks));
    set->comparison_ids = must(mem_array_zero(count, sizeof *set->comparison_ids));
    set->starts = must(mem_array(count + 1, sizeof *set->starts));
    set->items = must(mem_array(2 * count, sizeof *set->items));
    set->ranks = must(mem_array(2 * count, sizeof *set->ranks));
    set->positions = must(mem_array(2 * count, sizeof *set->positions));
    set->weights = must(mem_array(count, sizeof *set->weights));
    for (size_t c = 0; c < count; c++) {
        int32_t first_won = rows[c][2] != 1;
        set->starts[c] = (int64_t)(2 * c);
        set->weights[c] = 1.0;
        for (int32_t m = 0; m < 2; m++) {
            int32_t shown = first_won ? m : 1 - m;
            set->items[2 * c + (size_t)m] = rows[c][shown];
            set->positions[2 * c + (size_t)m] = shown + 1;
            set->ranks[2 * c + (size_t)m] = rows[c][2] == 2 ? 1 : m + 1;
        }
    }
    set->starts[count] = (int64_t)(2 * count);
    mem_free(rows);
}

int main(int argc, char **argv) {
    if (argc < 5) {
        return 2;
    }
    SCOPED(comparison_set) struct comparison_set set = COMPARISON_SET_INIT;
    read_set(argv[1], &set);
    struct tabular_options options = TABULAR_OPTIONS_DEFAULT;
    options.ties = TABULAR_TIES_REFUSE;
    while (strcmp(tabular_model_name(options.model), argv[2]) != 0) {
        options.model++;
    }
    options.position_effect = strcmp(argv[3], "1") == 0;
    if (options.model == TABULAR_BRADLEY_TERRY) {
        options.ties = TABULAR_TIES_HALF;
    }
    struct error err = ERROR_INIT;
    struct clock clock = clock_real();
    SCOPED(tabular_fit) struct tabular_fit fit = TABULAR_FIT_INIT;
    int64_t repeats = 0;
    if (!number_parse_i64(argv[4], &repeats)) {
        return 2;
    }
    for (; repeats > 0; repeats--) {
        tabular_fit_deinit(&fit);
        int64_t start_ns = clock_monotonic_ns(&clock);
        if (tabular_fit_run(&set, &options, &fit, &err)) {
            (void)fprintf(stderr, "%s\n", err.msg);
            return 1;
        }
        printf("%.6f ", (double)(clock_monotonic_ns(&clock) - start_ns) * 1e-9);
    }
    printf("\n%lld %.17g\n", (long long)fit.iterations, fit.log_likelihood);
    if (argc > 5) {
        FILE *out = must(fopen(argv[5], "wb"));
        fwrite(fit.rewards, sizeof *fit.rewards, (size_t)fit.item_count, out);
        (void)fclose(out);
    }
    return 0;
}
