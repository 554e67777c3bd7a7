/* kernel_matmul.c - see kernel_matmul.h. */
#include "tensor/kernels/kernel_matmul.h"

#include "tensor/kernels/kernel_convert.h"
#include "tensor/kernels/kernel_tile_internal.h"

#include <assert.h>

#define PANEL_VECTORS (KERNEL_PANEL_COLUMNS / KERNEL_TILE_LANES)
#define LINE_BYTES    64

static_assert(KERNEL_PANEL_COLUMNS % KERNEL_TILE_LANES == 0, "a panel is whole vectors");

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t count_panels(const struct kernel_matrix *w) {
    return (w->n + KERNEL_PANEL_COLUMNS - 1) / KERNEL_PANEL_COLUMNS;
}

/* Values of one panel. */
static int64_t panel_values(const struct kernel_matrix *w) {
    return kernel_operand_stride(w->operand, w->k) * KERNEL_PANEL_COLUMNS;
}

/* Where value k of row n lies among the packed values. */
static int64_t place_of(const struct kernel_matrix *w, int64_t n, int64_t k) {
    int64_t pair = kernel_tile_pair(w->operand);
    int64_t panel = n / KERNEL_PANEL_COLUMNS;
    int64_t column = n % KERNEL_PANEL_COLUMNS;
    return panel * panel_values(w) + (k / pair * KERNEL_PANEL_COLUMNS + column) * pair + k % pair;
}

struct kernel_matrix kernel_matrix_of(int64_t n, int64_t k, enum kernel_operand operand) {
    return (struct kernel_matrix){.operand = operand, .n = n, .k = k};
}

size_t kernel_operand_bytes(enum kernel_operand operand) {
    return operand == KERNEL_OPERAND_BF16 ? sizeof(uint16_t) : sizeof(float);
}

int64_t kernel_operand_stride(enum kernel_operand operand, int64_t k) {
    int64_t pair = kernel_tile_pair(operand);
    return (k + pair - 1) / pair * pair;
}

size_t kernel_matrix_bytes(const struct kernel_matrix *w) {
    return (size_t)(count_panels(w) * panel_values(w)) * kernel_operand_bytes(w->operand);
}

struct pack_args {
    struct kernel_matrix *w;
    int64_t first;
    int64_t count;
    const float *values;
};

static void pack_row(const struct pack_args *a, int64_t row) {
    struct kernel_matrix *w = a->w;
    int64_t pair = kernel_tile_pair(w->operand);
    int64_t place = place_of(w, a->first + row, 0);
    const float *from = a->values + row * w->k;
    for (int64_t k = 0; k < w->k; k++) {
        int64_t at = place + k / pair * KERNEL_PANEL_COLUMNS * pair + k % pair;
        if (w->operand == KERNEL_OPERAND_BF16) {
            ((uint16_t *)w->packed)[at] = kernel_bf16_of_f32(from[k]);
        } else {
            ((float *)w->packed)[at] = from[k];
        }
    }
}

static void pack_share(void *context, const struct kernel_team *team) {
    const struct pack_args *a = context;
    struct kernel_span span = kernel_team_share(team, a->count);
    for (int64_t row = span.begin; row < span.end; row++) {
        pack_row(a, row);
    }
}

void kernel_matrix_pack(struct kernel_matrix *w, int64_t first, int64_t count, const float *values,
                        struct kernel_cpu cpu) {
    struct pack_args args = {.w = w, .first = first, .count = count, .values = values};
    kernel_team_run(cpu, pack_share, &args);
}

void kernel_matrix_row(const struct kernel_matrix *w, int64_t row, float *out) {
    for (int64_t k = 0; k < w->k; k++) {
        int64_t at = place_of(w, row, k);
        out[k] = w->operand == KERNEL_OPERAND_BF16
                     ? kernel_f32_of_bf16(((const uint16_t *)w->packed)[at])
                     : ((const float *)w->packed)[at];
    }
}

struct matmul_plan {
    const struct kernel_matmul_args *args;
    kernel_tile_function tile;
    const char *next; /* what this member will read after its share */
};

/* One block of rows of one panel, from the tile's sums to y. */
static KERNEL_INLINE void finish_block(const struct kernel_matmul_args *a, const float *sums,
                                       int64_t first_row, int64_t rows, int64_t first_column) {
    int64_t columns = smaller(KERNEL_PANEL_COLUMNS, a->w->n - first_column);
    for (int64_t r = 0; r < rows; r++) {
        const float *sum = sums + r * KERNEL_PANEL_COLUMNS;
        float *y = a->y + (first_row + r) * a->y_stride + first_column;
        const float *bias = a->bias ? a->bias + first_column : NULL;
        KERNEL_SIMD
        for (int64_t c = 0; c < columns; c++) {
            float value = bias ? sum[c] + bias[c] : sum[c];
            y[c] = a->accumulate ? y[c] + value : value;
        }
    }
}

/* A panel is read from memory while the one before is multiplied: it has three lines for each step
 * of a block of rows, and a step asks for one or two of them. With three blocks or more each of the
 * first three asks for a third; with two the first asks for two thirds. With one, which is bound by
 * memory anyway, the processor sees the rest of the stream coming. */
static KERNEL_INLINE void aim_prefetch(struct kernel_tile *tile, const char *ahead, int64_t block,
                                       int64_t blocks) {
    int64_t third = tile->steps * LINE_BYTES;
    int64_t begin = blocks < 3 && block > 0 ? block + 1 : block; /* third to begin with */
    if (begin < PANEL_VECTORS) {
        tile->prefetch = ahead + begin * third;
        tile->prefetch_gap = blocks < 3 && block == 0 ? third : 0;
        tile->prefetch_stride = LINE_BYTES;
    } else {
        tile->prefetch = tile->w;
        tile->prefetch_gap = 0;
        tile->prefetch_stride = 0;
    }
}

static KERNEL_INLINE const char *panel_at(const struct kernel_matrix *w, int64_t panel) {
    return (const char *)w->packed +
           (size_t)(panel * panel_values(w)) * kernel_operand_bytes(w->operand);
}

static KERNEL_INLINE void multiply_panel(const struct matmul_plan *plan, int64_t panel,
                                         const char *ahead) {
    const struct kernel_matmul_args *a = plan->args;
    const struct kernel_matrix *w = a->w;
    size_t value_bytes = kernel_operand_bytes(w->operand);
    int64_t x_stride = kernel_operand_stride(w->operand, w->k);
    int64_t blocks = (a->rows + KERNEL_TILE_ROWS_MAX - 1) / KERNEL_TILE_ROWS_MAX;
    float sums[KERNEL_TILE_ROWS_MAX * KERNEL_PANEL_COLUMNS];
    struct kernel_tile tile = {
        .x_stride = x_stride,
        .w = panel_at(w, panel),
        .w_stride = KERNEL_PANEL_COLUMNS * kernel_tile_pair(w->operand),
        .steps = kernel_tile_steps(w->operand, w->k),
        .y = sums,
        .y_stride = KERNEL_PANEL_COLUMNS,
        .vectors = PANEL_VECTORS,
    };
    for (int64_t block = 0; block < blocks; block++) {
        int64_t row = block * KERNEL_TILE_ROWS_MAX;
        tile.x = (const char *)a->x + (size_t)(row * x_stride) * value_bytes;
        tile.rows = smaller(KERNEL_TILE_ROWS_MAX, a->rows - row);
        aim_prefetch(&tile, ahead, block, blocks);
        plan->tile(&tile);
        finish_block(a, sums, row, tile.rows, panel * KERNEL_PANEL_COLUMNS);
    }
}

static KERNEL_INLINE void matmul_range(const struct matmul_plan *plan, int64_t begin, int64_t end) {
    const struct kernel_matrix *w = plan->args->w;
    for (int64_t panel = begin; panel < end; panel++) {
        const char *ahead = panel + 1 < end ? panel_at(w, panel + 1) : plan->next;
        multiply_panel(plan, panel, ahead);
    }
}

KERNEL_VARIANTS(matmul, struct matmul_plan)

struct kernel_span kernel_matmul_columns(const struct kernel_matrix *w,
                                         const struct kernel_team *team) {
    struct kernel_span panels = kernel_team_share(team, count_panels(w));
    return (struct kernel_span){smaller(w->n, panels.begin * KERNEL_PANEL_COLUMNS),
                                smaller(w->n, panels.end * KERNEL_PANEL_COLUMNS)};
}

void kernel_matmul(const struct kernel_matmul_args *a, const struct kernel_team *team) {
    const struct kernel_matrix *next = a->next ? a->next : a->w;
    struct matmul_plan plan = {
        .args = a,
        .tile = kernel_tile_of(a->w->operand, team->isa),
        .next = panel_at(next, kernel_team_share(team, count_panels(next)).begin),
    };
    struct kernel_span panels = kernel_team_share(team, count_panels(a->w));
    kernel_variant(&matmul_variants, team->isa)(&plan, panels.begin, panels.end);
}
