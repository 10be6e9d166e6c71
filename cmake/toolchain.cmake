# Flags for every target: hardening, warnings, sanitizers, the linker.

# The shipped build is hardened and position independent (executables too, and the archives fit into shared objects). Only marked
# symbols are visible. The sanitizer builds check more than this, and are not shipped.
add_library(fanfare_hardening INTERFACE)
if(NOT FANFARE_SANITIZE)
  include(CheckPIESupported)
  check_pie_supported()
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  set(optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
  target_compile_options(fanfare_hardening INTERFACE
    -fvisibility=hidden $<$<COMPILE_LANGUAGE:CXX>:-fvisibility-inlines-hidden> -fno-semantic-interposition
    -fstack-protector-strong $<${optimised}:-U_FORTIFY_SOURCE> $<${optimised}:-D_FORTIFY_SOURCE=2>)
  target_link_options(fanfare_hardening INTERFACE -Wl,-z,relro -Wl,-z,now)
endif()

add_library(fanfare_flags INTERFACE)
add_library(fanfare_byte_checks INTERFACE)  # linked after fanfare_flags
target_link_libraries(fanfare_flags INTERFACE fanfare_hardening)
target_compile_options(fanfare_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 uses its own deprecated helpers in <algorithm>, and clang blames the caller (std::stable_sort).
  target_compile_options(fanfare_flags INTERFACE -Wno-deprecated-declarations)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # At -O3 it sees overlapping copies in std::string (GCC bug 105651).
  target_compile_options(fanfare_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>)
endif()
if(FANFARE_WERROR)
  target_compile_options(fanfare_flags INTERFACE -Werror)
endif()
if(FANFARE_SANITIZE)
  target_compile_options(fanfare_flags INTERFACE
    -fsanitize=${FANFARE_SANITIZE} -fno-sanitize-recover=all)
  if(FANFARE_SANITIZE MATCHES "undefined")
    # A sixth of what a sanitizer build compiles. A null pointer that is read ends in AddressSanitizer's report; both checks stay where
    # structures are read from bytes (BYTES in cmake/rooms.cmake).
    target_compile_options(fanfare_flags INTERFACE -fno-sanitize=alignment,null)
    target_compile_options(fanfare_byte_checks INTERFACE -fsanitize=alignment,null)
  endif()
  target_link_options(fanfare_flags INTERFACE -fsanitize=${FANFARE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # With sanitizer instrumentation g++ warns about every optional; the optimised build without it keeps the warning.
    target_compile_options(fanfare_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND FANFARE_SANITIZE MATCHES "thread")
    # g++ warns about fences under TSan; libstdc++'s shared_ptr trips it.
    target_compile_options(fanfare_flags INTERFACE -Wno-tsan)
  endif()
endif()
if(PROJECT_IS_TOP_LEVEL)
  find_program(FANFARE_MOLD mold)
endif()
if(FANFARE_MOLD)
  target_link_options(fanfare_flags INTERFACE -fuse-ld=mold)
endif()
find_package(Threads REQUIRED)
target_link_libraries(fanfare_flags INTERFACE Threads::Threads)
