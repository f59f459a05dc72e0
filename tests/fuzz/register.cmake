# The fuzz targets as tests of any build, where there is a clang with libFuzzer: tests/fuzz/run builds them apart, without
# optimization (build/fuzz-debug), which takes half the time, and each runs for DEV_AFORO_FUZZ_SECONDS of the environment in which CMake is configured (10); fuzz/long, of the
# label long, runs all for ten minutes each, optimized (build/fuzz).
set(AFORO_FUZZ_SECONDS 10)
if(DEFINED ENV{DEV_AFORO_FUZZ_SECONDS})
    set(AFORO_FUZZ_SECONDS $ENV{DEV_AFORO_FUZZ_SECONDS})
endif()
find_program(AFORO_CLANG clang)
set(fuzzer_works 1)
if(AFORO_CLANG)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/fuzzer.c
         "int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n ? 0 : 0; }\n")
    execute_process(COMMAND ${AFORO_CLANG} -fsanitize=fuzzer,address,undefined -o ${CMAKE_CURRENT_BINARY_DIR}/fuzzer
                            ${CMAKE_CURRENT_BINARY_DIR}/fuzzer.c
                    RESULT_VARIABLE fuzzer_works OUTPUT_QUIET ERROR_QUIET)
endif()
if(NOT fuzzer_works EQUAL 0)
    message(STATUS "no clang with libFuzzer: the fuzz tests are left out (apt-get install clang libclang-rt-dev)")
    return()
endif()
add_test(NAME fuzz/build COMMAND nice ${CMAKE_CURRENT_LIST_DIR}/run 0)
set_tests_properties(fuzz/build PROPERTIES FIXTURES_SETUP fuzz TIMEOUT 900 COST 500 PROCESSORS 2
                     ENVIRONMENT DEV_AFORO_FUZZ_PRESET=fuzz-debug)
math(EXPR timeout "${AFORO_FUZZ_SECONDS} + 180")
file(GLOB targets CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/fuzz_*.c)
foreach(target ${targets})
    string(REGEX REPLACE ".*/fuzz_(.*)\\.c$" "\\1" target ${target})
    add_test(NAME fuzz/${target} COMMAND nice ${CMAKE_CURRENT_LIST_DIR}/run ${AFORO_FUZZ_SECONDS} ${target})
    set_tests_properties(fuzz/${target} PROPERTIES FIXTURES_REQUIRED fuzz TIMEOUT ${timeout} COST 300
                         ENVIRONMENT "DEV_AFORO_FUZZ_BUILT=1;DEV_AFORO_FUZZ_PRESET=fuzz-debug")
endforeach()
add_test(NAME fuzz/long COMMAND ${CMAKE_CURRENT_LIST_DIR}/run 600)
list(LENGTH targets n)
math(EXPR timeout "${n} * 720 + 900") # and the build
set_tests_properties(fuzz/long PROPERTIES LABELS long TIMEOUT ${timeout})
