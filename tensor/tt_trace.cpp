/* tt_trace.cpp - TT_TRACE: 1 remembers the last ops for error messages, 2 reports each op with
 * shapes and time, 3 adds the smallest, largest and mean value and the count of non-finite ones. */
#include "tensor/tt_internal.hpp"
#include "tensor/tt_process.hpp"

#include "base/clock.h"

#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace tt {

int64_t trace_level = 0;

namespace {

/* " min -1 max 2 mean 0.5 nonfinite 0" for floats, "" for the rest. */
void format_values(char *out, size_t bytes, const at::Tensor &a) {
    out[0] = '\0';
    if (!a.is_floating_point() || a.numel() == 0) {
        return;
    }
    const at::AutoGradMode mode(false);
    const at::Tensor wide = a.detach().to(at::kDouble);
    const int64_t nonfinite = a.numel() - at::isfinite(wide).sum().item().toLong();
    (void)snprintf(out, bytes, " min %.6g max %.6g mean %.6g nonfinite %" PRId64,
                   wide.min().item().toDouble(), wide.max().item().toDouble(),
                   wide.mean().item().toDouble(), nonfinite);
}

} // namespace

int64_t trace_clock_ns() noexcept {
    const struct clock real = clock_real();
    return clock_monotonic_ns(&real);
}

void trace_begin(tt_scope *s, const char *op, operands in) noexcept {
    trace_entry *entry = &s->trace.entries[s->trace.count % TRACE_ENTRIES];
    entry->op = op;
    entry->operands = std::min(in.size(), TRACE_OPERANDS);
    for (size_t i = 0; i < entry->operands; i++) {
        const at::IntArrayRef sizes = in.begin()[i]->t.sizes();
        entry->operand[i].rank = sizes.size();
        std::copy_n(sizes.begin(), std::min(sizes.size(), TRACE_DIMS), entry->operand[i].dim);
    }
    s->trace.count++;
}

void format_entry(char *out, size_t bytes, const trace_entry *entry) {
    size_t used = std::min(static_cast<size_t>(snprintf(out, bytes, "%s", entry->op)), bytes - 1);
    for (size_t i = 0; i < entry->operands; i++) {
        char shape[96];
        const size_t kept = std::min(entry->operand[i].rank, TRACE_DIMS);
        format_shape(shape, sizeof shape, at::IntArrayRef(entry->operand[i].dim, kept));
        const int written = snprintf(out + used, bytes - used, "%s %s%s", i > 0 ? "," : "", shape,
                                     kept < entry->operand[i].rank ? "+" : "");
        used = std::min(used + static_cast<size_t>(written), bytes - 1);
    }
}

void trace_end(tt_scope *s, const at::Tensor *result, int64_t started_ns) noexcept {
    if (trace_level < 2) {
        return;
    }
    const int64_t spent_ns = trace_clock_ns() - started_ns;
    char shape[64] = "";
    char values[160] = "";
    try {
        if (result && result->defined()) {
            format_shape(shape, sizeof shape, result->sizes());
            if (trace_level >= 3) {
                format_values(values, sizeof values, *result);
            }
        }
    } catch (...) {
        (void)snprintf(values, sizeof values, " values unreadable");
    }
    char called[160];
    char line[512];
    format_entry(called, sizeof called, &s->trace.entries[(s->trace.count - 1) % TRACE_ENTRIES]);
    (void)snprintf(line, sizeof line, "%s -> %s %.1f us%s", called, shape,
                   static_cast<double>(spent_ns) / 1e3, values);
    process_trace_line(line);
}

} // namespace tt
