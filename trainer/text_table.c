/* text_table.c - see text_table.h. */
#include "trainer/text_table.h"

#include "base/text_wrap.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CELL_BYTES 1024

static void add_right(struct strbuf *out, const char *text, int64_t columns) {
    int64_t length = (int64_t)strlen(text);
    strbuf_add_repeated(out, ' ', (size_t)(columns > length ? columns - length : 0));
    strbuf_add(out, text);
}

void text_count(struct strbuf *out, double count, int64_t columns) {
    char digits[400];
    char parted[600];
    bool whole = fabs(count - nearbyint(count)) < 0.05;
    int length = snprintf(digits, sizeof digits, "%.*f", whole ? 0 : 1, count);
    int units = whole ? length : length - 2; /* digits before the point */
    int used = 0;
    for (int i = 0; i < length; i++) {
        bool part = i > 0 && i < units && (units - i) % 3 == 0 && digits[i - 1] != '-';
        if (part) {
            parted[used++] = ',';
        }
        parted[used++] = digits[i];
    }
    parted[used] = '\0';
    add_right(out, parted, columns);
}

void text_bar(struct strbuf *out, double share, int64_t columns) {
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    double within = share >= 0.0 ? fmin(share, 1.0) : 0.0;
    int64_t filled = (int64_t)nearbyint(within * (double)columns * 8.0);
    if (filled == 0 && within > 0.0) {
        filled = 1; /* little is not nothing */
    }
    for (int64_t i = 0; i < filled / 8; i++) {
        strbuf_add(out, "█");
    }
    strbuf_add(out, eighths[filled % 8]);
    strbuf_add_repeated(out, ' ', (size_t)(columns - (filled + 7) / 8));
}

void text_cell(struct strbuf *out, const char *text, int64_t columns) {
    char visible[CELL_BYTES];
    utf8_visible(text, strlen(text), visible, sizeof visible);
    int64_t width = text_wrap_columns(visible);
    if (width <= columns) {
        strbuf_add(out, visible);
        strbuf_add_repeated(out, ' ', (size_t)(columns - width));
        return;
    }
    size_t at = 0;
    size_t count = strlen(visible);
    for (int64_t c = 0; c + 3 < columns; c++) {
        uint32_t code_point = 0;
        at += utf8_decode(visible + at, count - at, &code_point);
    }
    strbuf_add_bytes(out, visible, at);
    strbuf_add(out, "...");
}

void text_percent(struct strbuf *out, double share, int64_t columns) {
    char text[32] = "-";
    if (!isnan(share)) {
        (void)snprintf(text, sizeof text, "%.1f %%", 100.0 * share);
    }
    add_right(out, text, columns);
}

void text_heading(struct strbuf *out, const char *title, bool bold) {
    strbuf_addf(out, "\n%s%s%s\n", bold ? "\x1b[1m" : "", title, bold ? "\x1b[0m" : "");
}
