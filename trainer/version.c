/* version.c - see version.h. */
#include "trainer/version.h"

#include "base/db.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/regex.h"
#include "trainer/build_id.h"

#include <stdio.h>

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static struct version_library library(const char *name, const char *version) {
    struct version_library made = {.name = name};
    (void)snprintf(made.version, sizeof made.version, "%s", version);
    return made;
}

const char *version_text(void) {
    return ACCORD_VERSION;
}

const char *version_git(void) {
    return ACCORD_GIT_VERSION;
}

const char *version_compiler(void) {
    return COMPILER;
}

const char *version_build_type(void) {
    return ACCORD_BUILD_TYPE;
}

void version_libraries(struct version_library out[VERSION_LIBRARY_COUNT]) {
    char regex_version[REGEX_VERSION_BYTES];
    out[0] = library("SQLite", db_library_version());
    out[1] = library("cJSON", json_library_version());
    out[2] = library("PCRE2", regex_library_version(regex_version));
    out[3] = library("libsodium", hash_library_version());
}

const char *version_build_id(void) {
    return BUILD_ID;
}
