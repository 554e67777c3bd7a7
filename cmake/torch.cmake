# Imported targets for libtorch as the PyPI wheel lays it out. find_package(Torch) is not used: it
# insists on a CUDA toolkit and sets global flags (docs/ARCHITECTURE.md, Building).
#
# torch::cpu   headers, libtorch_cpu, libc10
# torch::cuda  the same and libtorch_cuda, libc10_cuda

set(ACCORD_TORCH_VERSION 2.11.0) # the shim has no C++ ABI stability across versions

if(NOT DEFINED CACHE{ACCORD_TORCH_DIR} AND DEFINED ENV{ACCORD_TORCH_DIR})
  set(torch_dir_default "$ENV{ACCORD_TORCH_DIR}")
else()
  if(DEFINED ENV{ACCORD_CACHE})
    set(cache_dir "$ENV{ACCORD_CACHE}")
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(cache_dir "$ENV{XDG_CACHE_HOME}/accord")
  else()
    set(cache_dir "$ENV{HOME}/.cache/accord")
  endif()
  set(torch_dir_default "${cache_dir}/libtorch-${ACCORD_TORCH_VERSION}/torch")
endif()
set(ACCORD_TORCH_DIR "${torch_dir_default}" CACHE PATH
  "The torch package folder (with lib/ and include/); scripts/setup.sh fetches one")

set(version_header "${ACCORD_TORCH_DIR}/include/torch/headeronly/version.h")
if(NOT EXISTS "${version_header}")
  message(FATAL_ERROR "no libtorch in '${ACCORD_TORCH_DIR}': run 'bash scripts/setup.sh', set "
    "ACCORD_TORCH_DIR to a torch ${ACCORD_TORCH_VERSION} package folder, or configure with "
    "-DACCORD_WITH_TORCH=OFF")
endif()
file(READ "${version_header}" version_text)
string(REGEX MATCH "#define TORCH_VERSION[ \\\n]+\"([0-9.]+)" version_line "${version_text}")
set(torch_version "${CMAKE_MATCH_1}")
if(NOT torch_version STREQUAL ACCORD_TORCH_VERSION)
  message(FATAL_ERROR "libtorch in '${ACCORD_TORCH_DIR}' is version ${torch_version}, and accord "
    "is written for ${ACCORD_TORCH_VERSION}: unset ACCORD_TORCH_DIR and run "
    "'bash scripts/setup.sh'")
endif()

function(accord_import_torch target library)
  add_library(${target} SHARED IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION "${ACCORD_TORCH_DIR}/lib/${library}"
    IMPORTED_NO_SONAME OFF)
endfunction()

accord_import_torch(torch_c10 libc10.so)
accord_import_torch(torch_cpu libtorch_cpu.so)
accord_import_torch(torch_c10_cuda libc10_cuda.so)

add_library(torch::cpu INTERFACE IMPORTED GLOBAL)
target_link_libraries(torch::cpu INTERFACE torch_cpu torch_c10)
target_include_directories(torch::cpu SYSTEM INTERFACE
  "${ACCORD_TORCH_DIR}/include" "${ACCORD_TORCH_DIR}/include/torch/csrc/api/include")
# libtorch_cpu needs libcupti and libcudart, which ldconfig does not know.
target_link_options(torch::cpu INTERFACE
  "LINKER:-rpath-link,${ACCORD_TORCH_DIR}/../nvidia/cu13/lib")

# Needed for what loading it registers, so the linker must not drop it as unused. What it needs
# itself is a whole CUDA installation, and that of the machine it will run on.
add_library(torch::cuda INTERFACE IMPORTED GLOBAL)
target_link_libraries(torch::cuda INTERFACE torch::cpu torch_c10_cuda)
target_link_options(torch::cuda INTERFACE
  "LINKER:--no-as-needed,${ACCORD_TORCH_DIR}/lib/libtorch_cuda.so,--as-needed"
  "LINKER:--allow-shlib-undefined")

# An executable or module that links torch must find the system's libgomp before the wheel's older
# copy, or two OpenMP runtimes share the process.
find_library(gomp_runtime NAMES libgomp.so.1 REQUIRED)
get_filename_component(gomp_dir "${gomp_runtime}" DIRECTORY)
set(ACCORD_TORCH_RPATH "${gomp_dir};${ACCORD_TORCH_DIR}/lib")
