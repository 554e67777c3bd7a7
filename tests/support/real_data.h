/* real_data.h - data of other people, which is no part of this repository: tests that use it lie in
 * tests/real, carry the label real-data, and are skipped where the folder is absent.
 *
 * Use:      const char *path = real_data_or_skip("hh-rlhf/harmless-base_test.jsonl.gz");
 *
 * The folder is ../shared/data, seen from the repository's root, or $ACCORD_REAL_DATA.
 */
#ifndef TESTS_SUPPORT_REAL_DATA_H
#define TESTS_SUPPORT_REAL_DATA_H

/* The path of a file or folder there, valid until the next call; ends the test as skipped, with a
 * message, if it is missing. */
const char *real_data_or_skip(const char *relative);

#endif
