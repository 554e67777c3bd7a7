# Whether the CUDA half is built: ACCORD_CUDA = auto (when a CUDA 13 compiler is found), on, off.
# Sets ACCORD_CUDA_FOUND and says why.
#
# Toolkit 13, since libtorch is built against libcudart.so.13 and two runtimes in one process do not
# share a device context. Running needs a driver only, and nothing of the toolkit.

set(ACCORD_CUDA_FOUND FALSE)

function(accord_cuda_unavailable reason)
  if(ACCORD_CUDA STREQUAL "on")
    message(FATAL_ERROR "ACCORD_CUDA is on, but ${reason}; install the CUDA 13 toolkit, name its "
      "compiler with -DCMAKE_CUDA_COMPILER=.../nvcc, or configure with -DACCORD_CUDA=off")
  endif()
  message(STATUS "CUDA half: not built (${reason})")
endfunction()

if(NOT ACCORD_CUDA MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "ACCORD_CUDA is '${ACCORD_CUDA}': expected auto, on or off")
elseif(ACCORD_CUDA STREQUAL "off")
  message(STATUS "CUDA half: not built (ACCORD_CUDA is off)")
  return()
endif()

# The toolkit's usual place is often not in PATH.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(ACCORD_NVCC nvcc PATHS /usr/local/cuda/bin)
  mark_as_advanced(ACCORD_NVCC)
  if(NOT ACCORD_NVCC)
    accord_cuda_unavailable("no nvcc is found")
    return()
  endif()
  set(CMAKE_CUDA_COMPILER "${ACCORD_NVCC}")
endif()

# sm_80 (A100) and sm_90 (H100, H200) as machine code, and PTX for whatever comes later.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "80-real;90-real;90-virtual")
endif()
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
# nvcc takes gcc as its host compiler, whatever compiles the rest.
if(NOT CMAKE_CUDA_HOST_COMPILER AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  find_program(ACCORD_CUDA_GXX NAMES g++-12 g++)
  mark_as_advanced(ACCORD_CUDA_GXX)
  set(CMAKE_CUDA_HOST_COMPILER "${ACCORD_CUDA_GXX}")
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  accord_cuda_unavailable("nvcc cannot compile a test program, see CMakeFiles/CMakeError.log")
  return()
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

if(NOT CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13 OR
   NOT CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 14)
  accord_cuda_unavailable("${CMAKE_CUDA_COMPILER} is version ${CMAKE_CUDA_COMPILER_VERSION}")
  return()
endif()

set(ACCORD_CUDA_FOUND TRUE)
message(STATUS "CUDA half: built with nvcc ${CMAKE_CUDA_COMPILER_VERSION} for "
  "${CMAKE_CUDA_ARCHITECTURES} (ACCORD_CUDA is ${ACCORD_CUDA})")
