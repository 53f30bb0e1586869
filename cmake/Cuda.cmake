# Sets KGF_CUDA_BUILT, and where it is ON enables CUDA with its architectures.
#
# AUTO is ON where a usable nvcc is found and either a GPU is visible or GPUs are named
# (KGF_CUDA_GPUS=release, CMAKE_CUDA_ARCHITECTURES, CUDAARCHS), so that nobody compiles kernels that
# cannot run.

if(NOT KGF_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "KGF_CUDA must be AUTO, ON or OFF, got ${KGF_CUDA}.")
endif()
if(NOT KGF_CUDA_GPUS MATCHES "^(visible|release)$")
  message(FATAL_ERROR "KGF_CUDA_GPUS must be visible or release, got ${KGF_CUDA_GPUS}; "
                      "others go into CMAKE_CUDA_ARCHITECTURES.")
endif()

# What the wheels are made for: Turing, Ampere (80, 86), Ada, Hopper, Blackwell (100, 120).
set(KGF_CUDA_RELEASE 75 80 86 89 90 100 120)

# kgf_visible_gpus(<out>): the architectures of the GPUs that the driver shows, as 90-real;...
function(kgf_visible_gpus out)
  set(found "")
  find_program(KGF_NVIDIA_SMI nvidia-smi)
  mark_as_advanced(KGF_NVIDIA_SMI)
  if(KGF_NVIDIA_SMI)
    execute_process(COMMAND ${KGF_NVIDIA_SMI} --query-gpu=compute_cap --format=csv,noheader
                    OUTPUT_VARIABLE answer ERROR_QUIET RESULT_VARIABLE failed)
    if(NOT failed)
      string(REGEX MATCHALL "[0-9]+\\.[0-9]+" capabilities "${answer}")
      foreach(capability IN LISTS capabilities)
        string(REPLACE "." "" number ${capability})
        list(APPEND found ${number}-real)
      endforeach()
      list(REMOVE_DUPLICATES found)
    endif()
  endif()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

# kgf_choose_architectures(<out> <visible>...): those of the visible GPUs if nvcc knows them all; else
# one a generation, as far as it knows them, and PTX of the newest for what comes after. For a
# release it must know them all.
function(kgf_choose_architectures out)
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --list-gpu-arch OUTPUT_VARIABLE known
                  COMMAND_ERROR_IS_FATAL ANY)
  set(unknown "")
  foreach(architecture IN LISTS ARGN)
    string(REPLACE "-real" "\n" number ${architecture})
    if(NOT known MATCHES "compute_${number}")
      list(APPEND unknown ${architecture})
    endif()
  endforeach()
  if(ARGN AND NOT unknown)
    set(${out} "${ARGN}" PARENT_SCOPE)
    return()
  endif()
  set(chosen "")
  foreach(number IN LISTS KGF_CUDA_RELEASE)
    if(known MATCHES "compute_${number}\n")
      list(APPEND chosen ${number}-real)
      set(newest ${number}-virtual)
    elseif(KGF_CUDA_GPUS STREQUAL "release")
      message(FATAL_ERROR "KGF_CUDA_GPUS=release needs an nvcc that knows ${KGF_CUDA_RELEASE}; "
                          "${CMAKE_CUDA_COMPILER} does not know ${number}.")
    endif()
  endforeach()
  set(${out} "${chosen};${newest}" PARENT_SCOPE)
endfunction()

set(KGF_CUDA_BUILT OFF)
set(why "KGF_CUDA=OFF")
if(NOT KGF_CUDA STREQUAL "OFF")
  # The host part of a .cu file is compiled by the compiler of everything else.
  if(NOT DEFINED CMAKE_CUDA_HOST_COMPILER AND NOT DEFINED ENV{CUDAHOSTCXX})
    set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER} CACHE FILEPATH "compiler that nvcc calls")
  endif()
  include(CheckLanguage)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND DEFINED ENV{CUDAARCHS})
    set(CMAKE_CUDA_ARCHITECTURES $ENV{CUDAARCHS})
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE text)
    string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" _ "${text}")
    set(toolkit ${CMAKE_MATCH_1})
    if(KGF_CUDA_GPUS STREQUAL "visible")
      kgf_visible_gpus(visible)
    endif()
  endif()
  if(NOT CMAKE_CUDA_COMPILER)
    set(why "no nvcc that works with ${CMAKE_CXX_COMPILER} was found; put it on PATH or name it in CUDACXX")
  elseif(NOT toolkit VERSION_GREATER_EQUAL 12.0)
    set(why "CUDA 12.0 or newer is needed, ${CMAKE_CUDA_COMPILER} is of ${toolkit}")
  elseif(KGF_CUDA STREQUAL "AUTO" AND NOT visible AND NOT DEFINED CMAKE_CUDA_ARCHITECTURES
         AND NOT KGF_CUDA_GPUS STREQUAL "release")
    set(why "no GPU is visible here; KGF_CUDA=ON builds for all, CMAKE_CUDA_ARCHITECTURES for some")
  else()
    set(KGF_CUDA_BUILT ON)
  endif()
endif()

if(KGF_CUDA_BUILT)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    kgf_choose_architectures(CMAKE_CUDA_ARCHITECTURES ${visible})
  endif()
  enable_language(CUDA)
  find_package(CUDAToolkit REQUIRED)
  set(CMAKE_CUDA_STANDARD 17)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  message(STATUS "CUDA: ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
elseif(KGF_CUDA STREQUAL "ON")
  message(FATAL_ERROR "KGF_CUDA=ON cannot be had: ${why}.")
else()
  message(STATUS "CUDA: off (${why})")
endif()
