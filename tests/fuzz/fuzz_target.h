/* fuzz_target.h - what every fuzz target defines.
 *
 * Use:      int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) { ...; return 0; }
 *           FUZZ_CHECK(round_trip_is_equal);   // ends the process when false
 *
 *           A target may fail on any input in any documented way; it must not crash, leak, or break
 *           a FUZZ_CHECK. Register it in CMakeLists.txt and put seeds in corpus/<name>/.
 */
#ifndef TESTS_FUZZ_FUZZ_TARGET_H
#define TESTS_FUZZ_FUZZ_TARGET_H

#include "base/invariant.h"

#include <stddef.h>
#include <stdint.h>

/* Named by libFuzzer. `bytes` is borrowed for the call, exactly `count` long. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#define FUZZ_CHECK(condition) ASSERT(condition)

#endif
