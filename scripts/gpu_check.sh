#!/usr/bin/env bash
# gpu_check.sh - build with the CUDA half and run the checks that need a GPU.
#
# For a machine with a GPU, its driver, a CUDA 13 toolkit and a torch 2.11.0 package with its CUDA
# libraries:
#
#   bash scripts/gpu_check.sh            # ACCORD_TORCH_DIR, or the torch of the machine's python3
#   bash scripts/gpu_check.sh -R adamw   # arguments go to ctest
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -z ${ACCORD_TORCH_DIR:-} ]]; then
  ACCORD_TORCH_DIR=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))') || {
    echo "gpu_check: set ACCORD_TORCH_DIR to a torch 2.11.0 package folder" >&2
    exit 1
  }
  export ACCORD_TORCH_DIR
fi

cmake --preset release -B build/gpu -DACCORD_CUDA=on
cmake --build build/gpu
build/gpu/bin/accord doctor --device cuda
ctest --test-dir build/gpu --output-on-failure -L gpu "$@"
build/gpu/bin/accord demo --device cuda
