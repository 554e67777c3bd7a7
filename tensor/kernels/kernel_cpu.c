/* kernel_cpu.c - see kernel_cpu.h and kernel_cpu_internal.h. */
#include "tensor/kernels/kernel_cpu.h"

#include "base/invariant.h"
#include "tensor/kernels/kernel_cpu_internal.h"
#include "tensor/kernels/kernel_openmp.h"

/* Below this many elements for a thread, waking it costs more than it saves: a region costs some
 * 2 us, and 16 Ki elements of AdamW about 8 us. */
#define PIECE_ELEMENTS_MIN (4 * KERNEL_PIECE_UNIT)

static const char *const isa_names[] = {
#define ISA_NAME(name, text) text,
    KERNEL_ISAS(ISA_NAME)
#undef ISA_NAME
};

static bool has_avx2(void) {
#if KERNEL_HAS_X86_VARIANTS
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

static bool has_avx512(void) {
#if KERNEL_HAS_X86_VARIANTS
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

static bool has_avx512_bf16(void) {
#if KERNEL_HAS_X86_VARIANTS
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

static int64_t count_pieces(int64_t n, int threads) {
    int64_t worthwhile = n / PIECE_ELEMENTS_MIN;
    if (worthwhile < 1) {
        return 1;
    }
    return worthwhile < threads ? worthwhile : threads;
}

static int64_t round_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

bool kernel_isa_supported(enum kernel_isa isa) {
    if (isa == KERNEL_ISA_AVX512_BF16) {
        return has_avx512_bf16();
    }
    if (isa == KERNEL_ISA_AVX512) {
        return has_avx512();
    }
    return isa == KERNEL_ISA_AVX2 ? has_avx2() : (unsigned)isa < KERNEL_ISA_COUNT;
}

enum kernel_isa kernel_isa_best(void) {
    if (has_avx512_bf16()) {
        return KERNEL_ISA_AVX512_BF16;
    }
    if (has_avx512()) {
        return KERNEL_ISA_AVX512;
    }
    return has_avx2() ? KERNEL_ISA_AVX2 : KERNEL_ISA_GENERIC;
}

const char *kernel_isa_name(enum kernel_isa isa) {
    return (unsigned)isa < KERNEL_ISA_COUNT ? isa_names[isa] : "unknown";
}

kernel_range kernel_variant(const struct kernel_variants *variants, enum kernel_isa isa) {
    ASSERT(kernel_isa_supported(isa));
    enum kernel_isa chosen = isa == KERNEL_ISA_BEST ? kernel_isa_best() : isa;
    if (chosen == KERNEL_ISA_AVX512 || chosen == KERNEL_ISA_AVX512_BF16) {
        return variants->avx512;
    }
    return chosen == KERNEL_ISA_AVX2 ? variants->avx2 : variants->generic;
}

/* Elements [0, n) in pieces of `length`. */
struct pieces {
    kernel_range range;
    const void *args;
    int64_t n, length;
};

/* A member takes every count-th piece: with a whole team, one each. */
static void run_pieces(void *context, int index, int count) {
    const struct pieces *pieces = context;
    for (int64_t begin = index * pieces->length; begin < pieces->n;
         begin += count * pieces->length) {
        pieces->range(pieces->args, begin, smaller(begin + pieces->length, pieces->n));
    }
}

void kernel_run(const struct kernel_variants *variants, const void *args, int64_t n,
                struct kernel_cpu cpu) {
    kernel_run_rows(variants, args, n, 1, KERNEL_PIECE_UNIT, cpu);
}

void kernel_run_rows(const struct kernel_variants *variants, const void *args, int64_t rows,
                     int64_t row_elements, int64_t unit_rows, struct kernel_cpu cpu) {
    ASSERT_LE(1, cpu.threads);
    int64_t members = count_pieces(rows * row_elements, cpu.threads);
    struct pieces pieces = {
        .range = kernel_variant(variants, cpu.isa),
        .args = args,
        .n = rows,
        .length = members == 1 ? rows : round_up((rows + members - 1) / members, unit_rows),
    };
    if (rows > 0) {
        kernel_openmp_run((int)members, run_pieces, &pieces);
    }
}
