# kgf_set_warnings(<interface target>): the warnings and sanitizers of all our own code.
function(kgf_set_warnings target)
  if(MSVC)
    target_compile_options(${target} INTERFACE /W4 $<$<BOOL:${KGF_WERROR}>:/WX>)
    return()
  endif()
  target_compile_options(
    ${target}
    INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
              $<$<BOOL:${KGF_WERROR}>:-Werror>>
              # Without -Wpedantic: what nvcc hands on to the host's compiler is not.
              $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra
              $<$<BOOL:${KGF_WERROR}>:-Werror=all-warnings>>)
  if(KGF_SANITIZE)
    # A report must fail the run, so nothing is recovered from. At -O3 the compiler takes a quarter of
    # an hour for the tests of the CUDA twins.
    set(sanitize -fsanitize=${KGF_SANITIZE} -fno-sanitize-recover=all)
    target_compile_options(
      ${target} INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${sanitize} -fno-omit-frame-pointer -g -O1>)
    target_link_options(${target} INTERFACE ${sanitize})
  endif()
endfunction()
