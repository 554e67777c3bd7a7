/* build_id.h - names the build that the including file is compiled in.
 *
 * A macro, not a function: the tensor half must state its own, and would find the program's
 * function. Include it in few files: they are compiled again with every commit.
 */
#ifndef TRAINER_BUILD_ID_H
#define TRAINER_BUILD_ID_H

#include "git_version.h" /* written by cmake/git_version.cmake into the build folder */

#define BUILD_ID ACCORD_VERSION " " ACCORD_GIT_VERSION

#endif
