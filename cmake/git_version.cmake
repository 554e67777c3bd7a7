# Writes git_version.h with the tree's `git describe`, only when it changed, so that an unchanged
# tree recompiles nothing. Run as a script at every build:
#   cmake -DSOURCE_DIR=... -DHEADER=... -P git_version.cmake

cmake_minimum_required(VERSION 3.25)
find_program(git_program git)
set(describe "")
if(git_program AND EXISTS "${SOURCE_DIR}/.git")
  # --no-optional-locks: a build must not write to the repository.
  execute_process(
    COMMAND ${git_program} --no-optional-locks describe --always --dirty --abbrev=12
    WORKING_DIRECTORY "${SOURCE_DIR}"
    OUTPUT_VARIABLE describe OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT describe)
  set(describe "unknown")
endif()

file(CONFIGURE OUTPUT "${HEADER}" @ONLY CONTENT
[[/* Written by cmake/git_version.cmake. */
#define ACCORD_GIT_VERSION "@describe@"
]])
