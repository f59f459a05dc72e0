# Builds for arm64 on another machine, with Debian's cross compiler and its arm64 libraries (dpkg --add-architecture arm64); programs
# and tests run in qemu-user there. tools/cross lists what must be installed.
#   cmake -S . -B build/arm64 --toolchain cmake/aarch64.cmake
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
