/* version.h - what this build is.
 *
 * Threads:  no state.
 */
#ifndef TRAINER_VERSION_H
#define TRAINER_VERSION_H

/* "0.1.0", from the top CMakeLists.txt. Static, as are all below. */
const char *version_text(void);

/* `git describe` of the tree at build time; "unknown" when built outside a repository. */
const char *version_git(void);

/* "gcc 12.2.0" */
const char *version_compiler(void);

/* "RelWithDebInfo", "Debug, sanitizers address,undefined" */
const char *version_build_type(void);

/* Libraries that the program links; libtorch is none of them (lm_module.h). */
#define VERSION_LIBRARY_COUNT 4

struct version_library {
    const char *name; /* static */
    char version[64];
};

void version_libraries(struct version_library out[VERSION_LIBRARY_COUNT]);

/* Version and tree, BUILD_ID as the program was compiled with: the tensor half compares. */
const char *version_build_id(void);

#endif
