# Hot code is compiled once for each SIMD level and the best one the CPU has is chosen at run time.
#
# A level is a macro, KGF_SIMD=<level>, that names the namespace which holds everything the file
# defines, so that no function of one level can be merged with that of another.
# KGF_SIMD_X86 tells the code that chooses that avx2 and avx512 are there beside baseline.

include(CheckCXXSourceCompiles)
check_cxx_source_compiles(
  "#ifndef __x86_64__\n#error another processor, or flags of another style\n#endif\nint main() {}"
  KGF_SIMD_X86)

set(KGF_SIMD_NAMES baseline)
if(KGF_SIMD_X86)
  list(APPEND KGF_SIMD_NAMES avx2 avx512)
endif()

set(KGF_SIMD_FLAGS_baseline "")
set(KGF_SIMD_FLAGS_avx2 -mavx2 -mfma)
set(KGF_SIMD_FLAGS_avx512 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma)

# No -ffast-math: NaN must stay NaN. These two only give up errno and floating-point traps.
set(KGF_HOT_FLAGS $<$<NOT:$<CONFIG:Debug>>:-O3> -fno-math-errno -fno-trapping-math)

# kgf_add_simd_sources(<out> <prefix> <usage target> <source>...)
# One object library <prefix>_<level> a level; <out> gets their objects, lowest level first.
#
# The order matters: templates of the standard library are shared by all levels, and the linker
# keeps the first copy it meets. First must come the one that every CPU can run.
function(kgf_add_simd_sources out prefix usage)
  set(objects "")
  foreach(level IN LISTS KGF_SIMD_NAMES)
    add_library(${prefix}_${level} OBJECT ${ARGN})
    target_link_libraries(${prefix}_${level} PRIVATE ${usage})
    target_compile_definitions(${prefix}_${level} PRIVATE KGF_SIMD=${level})
    if(NOT MSVC)
      target_compile_options(${prefix}_${level} PRIVATE ${KGF_HOT_FLAGS} ${KGF_SIMD_FLAGS_${level}})
    endif()
    list(APPEND objects $<TARGET_OBJECTS:${prefix}_${level}>)
  endforeach()
  set(${out} "${objects}" PARENT_SCOPE)
endfunction()
