/* weight_values.c - see weight_values.h. */
#include "policy/weight_values.h"

#include "tensor/kernels/kernel_convert.h"

#include <string.h>

/* Rows that are taken together: those of a transposed tensor lie side by side, and 16 floats are a
 * line of the cache. */
#define TILE_ROWS 16

static bool is_by_rows(const struct weight_place *place) {
    return place->entry->transform != MODEL_TRANSPOSED &&
           place->entry->transform != MODEL_JOINED_TRANSPOSED;
}

/* Rows stay whole. */
static void copy_rows(const struct weight_place *place, const float *from, float *to, bool into) {
    const int64_t columns = place->tensor.shape[1];
    for (int64_t row = 0; row < place->tensor.shape[0]; row++) {
        const int64_t stored =
            model_family_row(place->entry, &place->tensor, place->head_dim, row).begin;
        memcpy(to + (into ? stored : row * columns), from + (into ? row * columns : stored),
               (size_t)columns * sizeof *to);
    }
}

/* Column by column of a tile, since theirs run along our rows. */
static void copy_columns(const struct weight_place *place, const float *from, float *to,
                         bool into) {
    const int64_t rows = place->tensor.shape[0];
    const int64_t columns = place->tensor.shape[1];
    for (int64_t tile = 0; tile < rows; tile += TILE_ROWS) {
        const int64_t end = rows - tile < TILE_ROWS ? rows : tile + TILE_ROWS;
        const struct model_row_place first =
            model_family_row(place->entry, &place->tensor, place->head_dim, tile);
        for (int64_t j = 0; j < columns; j++) {
            for (int64_t row = tile; row < end; row++) {
                const int64_t mine = row * columns + j;
                const int64_t theirs = first.begin + (row - tile) + j * first.step;
                to[into ? theirs : mine] = from[into ? mine : theirs];
            }
        }
    }
}

void weight_values_place(const struct weight_place *place, const float *stored, float *ours) {
    if (is_by_rows(place)) {
        copy_rows(place, stored, ours, false);
    } else {
        copy_columns(place, stored, ours, false);
    }
}

void weight_values_store(const struct weight_place *place, const float *ours, float *stored) {
    if (is_by_rows(place)) {
        copy_rows(place, ours, stored, true);
    } else {
        copy_columns(place, ours, stored, true);
    }
}

/* A block is searched only if the largest of its exponents is the one of NaN and infinity. */
#define BLOCK 4096

static uint32_t largest_magnitude(const float *values, int64_t count) {
    uint32_t largest = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t magnitude = portable_bits_of_f32(values[i]) & 0x7FFFFFFFU;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

int64_t weight_values_find_bad(const float *values, int64_t count) {
    for (int64_t begin = 0; begin < count; begin += BLOCK) {
        const int64_t length = count - begin < BLOCK ? count - begin : BLOCK;
        if (largest_magnitude(values + begin, length) < 0x7F800000U) {
            continue;
        }
        for (int64_t i = begin;; i++) {
            if ((portable_bits_of_f32(values[i]) & 0x7F800000U) == 0x7F800000U) {
                return i;
            }
        }
    }
    return -1;
}

#define F16_END 65520.0F /* half-way between the largest f16, 65504, and what would come next */

int64_t weight_values_find_f16(const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        if (values[i] >= F16_END || values[i] <= -F16_END) {
            return i;
        }
    }
    return -1;
}

void weight_values_round(enum weight_dtype dtype, const float *values, int64_t count,
                         int64_t threads, void *out_values) {
    if (dtype == WEIGHT_F32) {
        memcpy(out_values, values, (size_t)count * sizeof *values);
        return;
    }
    const struct kernel_convert_args args = {
        .kind = dtype == WEIGHT_BF16 ? KERNEL_CONVERT_F32_TO_BF16 : KERNEL_CONVERT_F32_TO_F16,
        .from = values,
        .to = out_values,
        .n = count,
    };
    kernel_convert_cpu(&args, (struct kernel_cpu){.threads = (int)threads});
}
