# The way of an event leads through eight libraries, a few nanoseconds in each. The release build of gcc lets the linker inline across
# them: an event of NDJSON takes 4 to 5 % fewer instructions (docs/decisions.md). The objects hold ordinary code as well, which most tests are
# linked of; the programs that bench/ measures and those that test crash safety are linked as aforod is.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT AFORO_SANITIZE AND NOT AFORO_COVERAGE)
    set(AFORO_INLINES_ROOMS ON)
    # Without this, gcc would do so for each program that is linked of these objects: seven seconds for each test.
    add_link_options($<$<NOT:$<BOOL:$<TARGET_PROPERTY:INLINES_ROOMS>>>:-fno-lto>)
endif()

function(aforo_inline_rooms)
    foreach(target ${ARGV})
        get_target_property(type ${target} TYPE)
        if(AFORO_INLINES_ROOMS AND type STREQUAL "STATIC_LIBRARY")
            target_compile_options(${target} PRIVATE -flto -ffat-lto-objects)
        elseif(AFORO_INLINES_ROOMS)
            target_link_options(${target} PRIVATE -flto=auto)
            set_target_properties(${target} PROPERTIES INLINES_ROOMS ON)
        endif()
    endforeach()
endfunction()
