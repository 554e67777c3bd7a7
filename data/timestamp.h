/* timestamp.h - points in time as data files write them.
 *
 * Use:      int64_t asked_at_ms = 0;
 *           if (!timestamp_parse(&cell, &asked_at_ms)) { ...refuse, naming TIMESTAMP_EXPECTED... }
 * Accepts:  ISO 8601: "2023-04-05", "20230405", "2023-04-05T06:07", "2023-04-05
 *           06:07:08.250+02:00", "2023-04-05T06:07:08Z". Without a zone it is UTC, a day alone is
 *           its midnight.
 * Numbers:  seconds since 1970, which may have a fraction, or, from 10^11 on, milliseconds (as
 *           seconds that would be after the year 5138).
 * Refuses:  days that no month has, hour 24, years outside 1 to 9999. Second 60, a leap second, is
 *           the first of the next minute, as in Unix time. Numbers within 10^8 of zero (March
 *           1973): a year, or days since some epoch, must not become a time in 1970.
 * Threads:  no state.
 */
#ifndef DATA_TIMESTAMP_H
#define DATA_TIMESTAMP_H

#include "data/text_span.h"

#include <stdbool.h>
#include <stdint.h>

#define TIMESTAMP_EXPECTED \
    "expected a time such as 2023-04-05, 2023-04-05T06:07:08Z or seconds since 1970"

/* Milliseconds since 1970-01-01T00:00:00Z; false, and nothing written, for anything else. */
bool timestamp_parse(const struct text_span *text, int64_t *out_ms);

/* The same for a number that is a number already, as in JSON. */
bool timestamp_of_number(double seconds_or_ms, int64_t *out_ms);

#endif
