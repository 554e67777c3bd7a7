/* timestamp.c - see timestamp.h. */
#include "data/timestamp.h"

#include "base/number.h"

#include <math.h>

#define NUMBER_BYTES_MAX 32
#define SECONDS_FROM     1e8               /* smaller numbers are something else */
#define MS_FROM          1e11              /* numbers from here on are milliseconds */
#define MS_MAX           253402300800000.0 /* the year 10000 */
#define MS_PER_DAY       INT64_C(86400000)

/* What is left to be read; `count` only shrinks. */
struct scan {
    const char *at;
    size_t count;
};

static bool take(struct scan *scan, char c) {
    if (scan->count == 0 || *scan->at != c) {
        return false;
    }
    scan->at++;
    scan->count--;
    return true;
}

/* Exactly `digits` of them, as a number in [low, high]. */
static bool take_number(struct scan *scan, size_t digits, int64_t low, int64_t high, int64_t *out) {
    if (scan->count < digits) {
        return false;
    }
    int64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = scan->at[i];
        if (c < '0' || c > '9') {
            return false;
        }
        value = 10 * value + (c - '0');
    }
    scan->at += digits;
    scan->count -= digits;
    *out = value;
    return value >= low && value <= high;
}

/* Days since 1970-01-01 in the Gregorian calendar.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
    int64_t y = month <= 2 ? year - 1 : year; /* years begin in March, so leap days end them */
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static int64_t days_in_month(int64_t year, int64_t month) {
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(struct scan *scan, int64_t *out_ms) {
    int64_t year = 0;
    int64_t month = 0;
    int64_t day = 0;
    if (!take_number(scan, 4, 1, 9999, &year)) {
        return false;
    }
    bool dashes = take(scan, '-');
    if (!take_number(scan, 2, 1, 12, &month) || take(scan, '-') != dashes ||
        !take_number(scan, 2, 1, 31, &day) || day > days_in_month(year, month)) {
        return false;
    }
    *out_ms = days_from_civil(year, month, day) * MS_PER_DAY;
    return true;
}

/* ".250": digits behind the third are cut. */
static bool take_fraction(struct scan *scan, int64_t *out_ms) {
    int64_t ms = 0;
    int64_t unit = 100;
    if (!take(scan, '.') && !take(scan, ',')) {
        return true;
    }
    size_t digits = 0;
    while (scan->count > 0 && *scan->at >= '0' && *scan->at <= '9') {
        ms += unit * (*scan->at - '0');
        unit /= 10;
        digits++;
        scan->at++;
        scan->count--;
    }
    *out_ms += ms;
    return digits > 0;
}

static bool take_time(struct scan *scan, int64_t *out_ms) {
    int64_t hour = 0;
    int64_t minute = 0;
    int64_t second = 0;
    int64_t fraction_ms = 0;
    if (!take_number(scan, 2, 0, 23, &hour) || !take(scan, ':') ||
        !take_number(scan, 2, 0, 59, &minute)) {
        return false;
    }
    if (take(scan, ':') &&
        (!take_number(scan, 2, 0, 60, &second) || !take_fraction(scan, &fraction_ms))) {
        return false;
    }
    *out_ms += ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms;
    return true;
}

/* "Z", " UTC", "+02:00", "-0230", "+02" or nothing. */
static bool take_zone(struct scan *scan, int64_t *out_ms) {
    if (scan->count == 0 || take(scan, 'Z')) {
        return true;
    }
    (void)take(scan, ' ');
    if (take(scan, 'U')) {
        return take(scan, 'T') && take(scan, 'C');
    }
    bool east = take(scan, '+');
    if (!east && !take(scan, '-')) {
        return false;
    }
    int64_t hours = 0;
    int64_t minutes = 0;
    if (!take_number(scan, 2, 0, 18, &hours)) {
        return false;
    }
    (void)take(scan, ':');
    if (scan->count > 0 && !take_number(scan, 2, 0, 59, &minutes)) {
        return false;
    }
    int64_t offset_ms = (hours * 60 + minutes) * 60000;
    *out_ms += east ? -offset_ms : offset_ms;
    return true;
}

static bool parse_iso(const struct text_span *text, int64_t *out_ms) {
    struct scan scan = {text->bytes, text->count};
    if (!take_date(&scan, out_ms)) {
        return false;
    }
    if (scan.count == 0) {
        return true;
    }
    return (take(&scan, 'T') || take(&scan, ' ')) && take_time(&scan, out_ms) &&
           take_zone(&scan, out_ms) && scan.count == 0;
}

bool timestamp_of_number(double seconds_or_ms, int64_t *out_ms) {
    double ms = fabs(seconds_or_ms) < MS_FROM ? seconds_or_ms * 1000.0 : seconds_or_ms;
    if (!(fabs(seconds_or_ms) >= SECONDS_FROM && fabs(ms) < MS_MAX)) {
        return false;
    }
    *out_ms = (int64_t)floor(ms + 0.5);
    return true;
}

bool timestamp_parse(const struct text_span *text, int64_t *out_ms) {
    int64_t ms = 0;
    if (parse_iso(text, &ms)) {
        *out_ms = ms;
        return true;
    }
    char number[NUMBER_BYTES_MAX];
    double value = 0.0;
    if (text->count == 0 || text->count >= sizeof number) {
        return false;
    }
    memcpy(number, text->bytes, text->count);
    number[text->count] = '\0';
    return strlen(number) == text->count && number_parse_f64(number, &value) &&
           timestamp_of_number(value, out_ms);
}
