# Every build switch, once. With pip: pip install . -C cmake.define.KGF_FLOAT64=ON

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()

set(KGF_CUDA AUTO CACHE STRING "CUDA kernels: AUTO (where they can be built), ON or OFF")
set_property(CACHE KGF_CUDA PROPERTY STRINGS AUTO ON OFF)
set(KGF_CUDA_GPUS visible CACHE STRING
    "GPUs to build for: visible (those here, or one a generation) or release (7.5 to 12.0, and newer)")
set_property(CACHE KGF_CUDA_GPUS PROPERTY STRINGS visible release)
set(KGF_SANITIZE OFF CACHE STRING "OFF, or the sanitizers to build with: address,undefined or thread")

option(KGF_FLOAT64 "Build the ops for float64 too: gradient checks need it, training does not" OFF)
option(KGF_WERROR "Turn compiler warnings into errors" OFF)
option(KGF_BUILD_ENGINE "Build the library for C++ programs, with its headers and CMake package" ON)
option(KGF_BUILD_TESTS "Build tests/cpp, to be run by ctest" OFF)
# pip turns this on (see pyproject.toml); it alone needs pybind11 and Python's headers.
option(KGF_BUILD_PYTHON "Build the Python module kernelgan_fast._native" OFF)
