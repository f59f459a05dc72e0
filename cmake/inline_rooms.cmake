# An event passes through eight libraries, with a few nanoseconds in each. The release build with gcc lets the linker inline across
# them: an event of NDJSON takes 4 to 5 % fewer instructions (docs/decisions.md). Except with AFORO_PROGRAMS_ONLY, the objects also contain
# ordinary code, from which most tests are linked; the programs that bench/ measures and those that test crash safety are linked like aforod.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT AFORO_SANITIZE AND NOT AFORO_COVERAGE)
    set(AFORO_INLINES_ROOMS ON)
    if(AFORO_PROGRAMS_ONLY)
        # Halves the time to compile an object. If ar does not find gcc's plugin by itself, it makes libraries that nobody can link.
        set(inlined_objects -flto)
        set(CMAKE_AR ${CMAKE_C_COMPILER_AR})
        set(CMAKE_RANLIB ${CMAKE_C_COMPILER_RANLIB})
    else()
        set(inlined_objects -flto -ffat-lto-objects)
        # Without this, gcc would inline for every program that is linked from these objects: seven seconds per test.
        add_link_options($<$<NOT:$<BOOL:$<TARGET_PROPERTY:INLINES_ROOMS>>>:-fno-lto>)
    endif()
endif()

function(aforo_inline_rooms)
    foreach(target ${ARGV})
        get_target_property(type ${target} TYPE)
        if(AFORO_INLINES_ROOMS AND type STREQUAL "STATIC_LIBRARY")
            target_compile_options(${target} PRIVATE ${inlined_objects})
        elseif(AFORO_INLINES_ROOMS)
            target_link_options(${target} PRIVATE -flto=auto)
            set_target_properties(${target} PROPERTIES INLINES_ROOMS ON)
        endif()
    endforeach()
endfunction()
