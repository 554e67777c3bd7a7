# The language islands and the one warning set (docs/ARCHITECTURE.md, Building).
# accord_library(name) gives a folder library all of it.

set(c_and_cxx_warnings
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla -Wundef -Wcast-qual
  -Wwrite-strings -Wdouble-promotion -Wformat=2 -Wswitch-enum)
set(c_warnings -Wstrict-prototypes -Wmissing-prototypes)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND c_warnings -Wjump-misses-init)
endif()

add_library(accord_compiler INTERFACE)
target_compile_definitions(accord_compiler INTERFACE _POSIX_C_SOURCE=200809L)
target_include_directories(accord_compiler INTERFACE ${PROJECT_SOURCE_DIR})
# C functions stay visible: the program exports base and trainer to its tensor half
# (trainer/lm_module.h). The C++ half hides what it does not export by name.
# Contraction to fused multiply-add would make results depend on the instruction set chosen.
target_compile_options(accord_compiler INTERFACE
  $<$<COMPILE_LANGUAGE:C,CXX>:-ffp-contract=off ${c_and_cxx_warnings}>
  $<$<COMPILE_LANGUAGE:C>:${c_warnings}>
  $<$<COMPILE_LANGUAGE:CXX>:-fvisibility=hidden>)

if(ACCORD_WERROR)
  target_compile_options(accord_compiler INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:-Werror>)
endif()
if(ACCORD_SANITIZE)
  target_compile_options(accord_compiler INTERFACE
    $<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${ACCORD_SANITIZE} -fno-omit-frame-pointer
      -fno-sanitize-recover=all>)
  target_link_options(accord_compiler INTERFACE -fsanitize=${ACCORD_SANITIZE})
endif()
if(ACCORD_COVERAGE)
  target_compile_options(accord_compiler INTERFACE $<$<COMPILE_LANGUAGE:C,CXX>:--coverage>)
  target_link_options(accord_compiler INTERFACE --coverage)
endif()
if(ACCORD_FUZZ)
  target_compile_options(accord_compiler INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>)
endif()

# accord_library(NAME SOURCES ... LINKS ...): a folder's static library, linking only what its
# folder may use.
function(accord_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_LINKS} PRIVATE $<BUILD_INTERFACE:accord_compiler>)
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
endfunction()
