# Every library we stand on, found by name, with the Debian package to install when it is missing.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(aforo_need target module package)
    pkg_check_modules(${target} QUIET IMPORTED_TARGET ${module})
    if(NOT ${target}_FOUND)
        message(FATAL_ERROR "${module} not found: apt-get install ${package} (tools/run and tools/test do it)")
    endif()
endfunction()

aforo_need(MICROHTTPD libmicrohttpd libmicrohttpd-dev)
aforo_need(GNUTLS gnutls libgnutls28-dev)
aforo_need(SECCOMP libseccomp libseccomp-dev)
aforo_need(HIREDIS hiredis libhiredis-dev)
aforo_need(YAML yaml-0.1 libyaml-dev)
aforo_need(XXHASH libxxhash libxxhash-dev)
# Its header is compiled in (XXH_INLINE_ALL): where the programs run, the library need not be.
set_target_properties(PkgConfig::XXHASH PROPERTIES INTERFACE_LINK_LIBRARIES "")
aforo_need(CURL libcurl libcurl4-openssl-dev)
aforo_need(JEMALLOC jemalloc libjemalloc-dev)
if(AFORO_TESTS)
    aforo_need(CHECK check check)
endif()
if(AFORO_FUZZ)
    aforo_need(JANSSON jansson libjansson-dev)
endif()

# jemalloc is the allocator of our programs; a sanitizer brings its own.
if(AFORO_SANITIZE)
    set(AFORO_ALLOCATOR "")
else()
    set(AFORO_ALLOCATOR PkgConfig::JEMALLOC)
endif()
