/* tt_scope.cpp - scopes, handles, and what happens when an op fails. See tt.h and tt_internal.hpp.
 */
#include "tensor/tt_internal.hpp"

#include "base/invariant.h"
#include "base/mem.h"

#include <c10/util/Exception.h>

#include <pthread.h>

#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>

static_assert(_GLIBCXX_USE_CXX11_ABI == 1, "libtorch is built with libstdc++'s new ABI");

namespace tt {
namespace {

std::atomic<int64_t> live_handles; /* the census is per process by its nature */

uintptr_t this_thread() {
    return static_cast<uintptr_t>(pthread_self());
}

/* The slot of handle number `index`, whose chunk exists. */
slot *slot_at(tt_scope *s, int64_t index) {
    if (index < SLOTS_FIRST) {
        return &s->first[index];
    }
    const int64_t beyond = index - SLOTS_FIRST;
    int64_t newest = (s->used - 1 - SLOTS_FIRST) / SLOTS_CHUNK;
    slot_chunk *chunk = s->chunks;
    for (; newest > beyond / SLOTS_CHUNK; newest--) {
        chunk = chunk->next;
    }
    return &chunk->slots[beyond % SLOTS_CHUNK];
}

/* The slot for the next handle, adding a chunk when the last one is full; NULL without memory. */
slot *next_slot(tt_scope *s) {
    const int64_t beyond = s->used - SLOTS_FIRST;
    if (beyond >= 0 && beyond % SLOTS_CHUNK == 0) {
        auto *chunk = static_cast<slot_chunk *>(mem_alloc(sizeof(slot_chunk)));
        if (!chunk) {
            return nullptr;
        }
        chunk->next = s->chunks;
        s->chunks = chunk;
    }
    s->used++;
    return slot_at(s, s->used - 1);
}

void drop_newest(tt_scope *s) {
    slot_at(s, s->used - 1)->handle()->~tt_tensor();
    s->used--;
    const int64_t beyond = s->used - SLOTS_FIRST;
    if (beyond >= 0 && beyond % SLOTS_CHUNK == 0) {
        slot_chunk *emptied = s->chunks;
        s->chunks = emptied->next;
        mem_free(emptied);
    }
}

/* First line of a libtorch message, without "[enforce fail at alloc_cpu.cpp:127] err == 0. ": the
 * rest is advice about Python and C++ frames. */
void copy_first_line(char *out, size_t bytes, const char *text) {
    if (strncmp(text, "[enforce fail", 13) == 0) {
        const char *sentence = strstr(text, "] ") ? strstr(strstr(text, "] "), ". ") : nullptr;
        text = sentence ? sentence + 2 : text;
    }
    (void)snprintf(out, bytes, "%.*s", static_cast<int>(strcspn(text, "\n")), text);
}

/* Adds "; inputs [4], [3]" to the recorded failure. */
void append_operands(struct error *err, operands in) {
    size_t used = strlen(err->msg);
    const char *separator = "; inputs ";
    for (const tt_tensor *a : in) {
        if (!a || used + 80 > sizeof err->msg) {
            continue;
        }
        char shape[64];
        format_shape(shape, sizeof shape, a->t.sizes());
        used += static_cast<size_t>(
            snprintf(err->msg + used, sizeof err->msg - used, "%s%s %s", separator,
                     tt_dtype_name(from_scalar_type(a->t.scalar_type())), shape));
        separator = ", ";
    }
}

/* Adds "; before: mul [4], [4] < exp [4] < ..." as far as it fits, from op number `newest` down. */
void append_trace(tt_scope *s, int64_t newest) {
    char *msg = s->failure.msg;
    size_t used = strlen(msg);
    const char *separator = "; before: ";
    const int64_t oldest = s->trace.count > TRACE_ENTRIES ? s->trace.count - TRACE_ENTRIES : 0;
    for (int64_t i = newest; i >= oldest; i--) {
        char text[160];
        format_entry(text, sizeof text, &s->trace.entries[i % TRACE_ENTRIES]);
        const size_t room = sizeof s->failure.msg - used;
        const int written = snprintf(msg + used, room, "%s%s", separator, text);
        if (written < 0 || static_cast<size_t>(written) >= room) {
            msg[used] = '\0';
            return;
        }
        used += static_cast<size_t>(written);
        separator = " < ";
    }
}

void record(tt_scope *s, enum err_code code, const char *op, const char *reason) {
    err_set(&s->failure, code, "%s: %s", op, reason);
}

} // namespace

bool usable(tt_scope *s, const char *op) noexcept {
    if (!s || s->failure.code != ERR_OK) {
        return false;
    }
    if (s->thread != this_thread()) {
        record(s, ERR_INTERNAL, op, "scope used by a thread that did not open it");
        return false;
    }
    return true;
}

enum err_code error_of_exception(const char *what, struct error *err) noexcept {
    char reason[ERR_MSG_BYTES];
    try {
        throw;
    } catch (const c10::OutOfMemoryError &e) {
        copy_first_line(reason, sizeof reason, e.what_without_backtrace());
        return err_set(err, ERR_OOM, "%s: %s", what, reason);
    } catch (const c10::Error &e) {
        /* what() would symbolise the backtrace: 2.7 ms against 7 us. */
        copy_first_line(reason, sizeof reason, e.what_without_backtrace());
        const bool no_memory = strstr(reason, "can't allocate memory") != nullptr;
        return err_set(err, no_memory ? ERR_OOM : ERR_BACKEND, "%s: %s", what, reason);
    } catch (const std::bad_alloc &) {
        return err_set(err, ERR_OOM, "%s: out of memory", what);
    } catch (const std::exception &e) {
        copy_first_line(reason, sizeof reason, e.what());
        return err_set(err, ERR_BACKEND, "%s: %s", what, reason);
    } catch (...) {
        return err_set(err, ERR_BACKEND, "%s: unknown exception", what);
    }
}

void record_exception(tt_scope *s, const char *op, operands in) noexcept {
    (void)error_of_exception(op, &s->failure);
    append_operands(&s->failure, in);
    /* The newest entry is the op that failed, which the message names already. */
    append_trace(s, s->trace.count - 2);
}

tt_tensor *adopt(tt_scope *s, at::Tensor &&t, unsigned rules) {
    TORCH_CHECK(t.dim() <= TT_RANK_MAX, "result has rank ", t.dim(), ", limit ", TT_RANK_MAX);
    if (s->grad == TT_NO_GRAD && !(rules & KEEPS_GRAD) && t.requires_grad()) {
        t = t.detach();
    }
    slot *place = next_slot(s);
    if (!place) {
        throw std::bad_alloc();
    }
    live_handles.fetch_add(1, std::memory_order_relaxed);
    return new (place->bytes) tt_tensor{std::move(t), tt_home::temporary};
}

tt_tensor *new_handle(at::Tensor &&t, tt_home home) noexcept {
    void *block = mem_alloc(sizeof(tt_tensor));
    if (!block) {
        return nullptr;
    }
    live_handles.fetch_add(1, std::memory_order_relaxed);
    return new (block) tt_tensor{std::move(t), home};
}

void delete_handle(tt_tensor *a) noexcept {
    if (a) {
        a->~tt_tensor();
        mem_free(a);
        live_handles.fetch_sub(1, std::memory_order_relaxed);
    }
}

} // namespace tt

using namespace tt;

int64_t tt_live_handles(void) noexcept {
    return live_handles.load(std::memory_order_relaxed);
}

tt_scope *tt_scope_open(enum tt_grad_mode grad) noexcept {
    return tt_scope_open_on(grad, tt_device{TT_CPU, 0});
}

tt_scope *tt_scope_open_on(enum tt_grad_mode grad, struct tt_device device) noexcept {
    auto *s = static_cast<tt_scope *>(mem_alloc(sizeof(tt_scope)));
    if (!s) {
        return nullptr;
    }
    s->grad = grad;
    s->device = device;
    s->thread = this_thread();
    s->used = 0;
    s->chunks = nullptr;
    s->failure.code = ERR_OK;
    s->failure.msg[0] = '\0';
    s->trace.count = 0;
    return s;
}

void tt_scope_close(tt_scope *s) noexcept {
    if (s) {
        tt_scope_rewind(s, 0);
        mem_free(s);
    }
}

enum err_code tt_scope_check(const tt_scope *s, struct error *err) noexcept {
    if (!s) {
        return err_oom(err, "tensor scope");
    }
    if (s->failure.code != ERR_OK) {
        *err = s->failure;
    }
    return s->failure.code;
}

enum tt_grad_mode tt_scope_grad(const tt_scope *s) noexcept {
    return s ? s->grad : TT_NO_GRAD;
}

tt_tensor *tt_scope_give(tt_scope *s, const tt_scope *inner, const tt_tensor *a) noexcept {
    struct error err = ERROR_INIT;
    const enum err_code code = tt_scope_check(inner, &err);
    return code == ERR_OK ? tt_share(s, a) : tt_scope_fail(s, code, "%s", err.msg);
}

int64_t tt_scope_mark(const tt_scope *s) noexcept {
    return s ? s->used : 0;
}

void tt_scope_rewind(tt_scope *s, int64_t mark) noexcept {
    if (!s) {
        return;
    }
    ASSERT_LE(0, mark);
    ASSERT_LE(mark, s->used);
    live_handles.fetch_sub(s->used - mark, std::memory_order_relaxed);
    while (s->used > mark) {
        drop_newest(s);
    }
}

tt_tensor *tt_scope_fail(tt_scope *s, enum err_code code, const char *fmt, ...) noexcept {
    if (s && s->failure.code == ERR_OK) {
        va_list args;
        va_start(args, fmt);
        char message[ERR_MSG_BYTES];
        (void)vsnprintf(message, sizeof message, fmt, args);
        va_end(args);
        err_set(&s->failure, code, "%s", message);
        append_trace(s, s->trace.count - 1);
    }
    return nullptr;
}

tt_tensor *tt_share(tt_scope *s, const tt_tensor *a) noexcept {
    return guarded(s, "share", {a}, KEEPS_GRAD, [&] { return a->t; });
}

tt_tensor *tt_keep(tt_scope *s, const tt_tensor *a) noexcept {
    if (!usable(s, "keep") || !admitted(s, "keep", {a}, ANY)) {
        return nullptr;
    }
    tt_tensor *kept = new_handle(at::Tensor(a->t), tt_home::kept);
    return kept ? kept : tt_scope_fail(s, ERR_OOM, "keep: out of memory");
}

void tt_free(tt_tensor *a) noexcept {
    ASSERT(!a || a->home == tt_home::kept);
    delete_handle(a);
}
