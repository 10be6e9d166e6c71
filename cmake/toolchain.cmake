# Flags every target shares: warnings, sanitizers, the linker.
add_library(fanfare_flags INTERFACE)
target_compile_options(fanfare_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers
  -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 uses its own deprecated helpers in <algorithm>, and clang blames the caller (std::stable_sort).
  target_compile_options(fanfare_flags INTERFACE -Wno-deprecated-declarations)
endif()
if(FANFARE_WERROR)
  target_compile_options(fanfare_flags INTERFACE -Werror)
endif()
if(FANFARE_SANITIZE)
  target_compile_options(fanfare_flags INTERFACE
    -fsanitize=${FANFARE_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(fanfare_flags INTERFACE -fsanitize=${FANFARE_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # What sanitizers add makes g++ doubt every optional; the optimised build without them keeps the warning.
    target_compile_options(fanfare_flags INTERFACE -Wno-maybe-uninitialized)
  endif()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND FANFARE_SANITIZE MATCHES "thread")
    # g++ warns about fences under TSan; libstdc++'s shared_ptr trips it.
    target_compile_options(fanfare_flags INTERFACE -Wno-tsan)
  endif()
endif()
if(FANFARE_FUZZ)
  # Every room tells the fuzzer which branches it took; only the fuzzers themselves bring its main().
  target_compile_options(fanfare_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
find_program(FANFARE_MOLD mold)
if(FANFARE_MOLD)
  target_link_options(fanfare_flags INTERFACE -fuse-ld=mold)
endif()
find_package(Threads REQUIRED)
target_link_libraries(fanfare_flags INTERFACE Threads::Threads)
