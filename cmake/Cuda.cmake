# Sets KGF_CUDA_BUILT. This version has no CUDA kernels, so AUTO means OFF and ON is refused.

if(KGF_CUDA STREQUAL "ON")
  message(FATAL_ERROR "KGF_CUDA=ON, but this version has no CUDA kernels: use AUTO or OFF.")
elseif(NOT KGF_CUDA MATCHES "^(AUTO|OFF)$")
  message(FATAL_ERROR "KGF_CUDA must be AUTO, ON or OFF, got ${KGF_CUDA}.")
endif()

set(KGF_CUDA_BUILT OFF)
message(STATUS "CUDA: off (this version has no CUDA kernels)")
