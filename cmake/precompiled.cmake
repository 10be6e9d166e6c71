# The sanitizer builds parse the standard library once, not once per file: it is most of what they parse, and most of what
# clang-tidy parses with their flags. The shipped build has no precompiled header, so a missing include shows there.
set(FANFARE_PRECOMPILED OFF)
if(FANFARE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(FANFARE_PRECOMPILED ON)
endif()

# Every room reports its branches to the fuzzer; only the fuzzers themselves link its main().
if(FANFARE_FUZZ)
  set(FANFARE_ROOM_OPTIONS -fsanitize=fuzzer-no-link)
endif()
# Optimising takes half the time of a sanitizer build. Only rooms whose tests compute a lot are worth it.
set(FANFARE_COMPUTING_OPTIONS ${FANFARE_ROOM_OPTIONS} -O1)

# fanfare_precompiled(NAME OPTIONS... HEADERS...): a precompiled header that targets with the same options can share.
function(fanfare_precompiled name)
  cmake_parse_arguments(PRE "" "" "OPTIONS;LINK;HEADERS" ${ARGN})
  file(WRITE ${PROJECT_BINARY_DIR}/${name}.cc "")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/${name}.cc)
  target_link_libraries(${name} PRIVATE fanfare_flags ${PRE_LINK})
  target_compile_options(${name} PRIVATE ${PRE_OPTIONS})
  target_precompile_headers(${name} PRIVATE ${PRE_HEADERS})
endfunction()

# fanfare_precompile(TARGET standard|room|computing|tests): the target uses that precompiled header, if there is one.
function(fanfare_precompile target name)
  if(FANFARE_PRECOMPILED)
    target_precompile_headers(${target} REUSE_FROM fanfare_precompiled_${name})
  endif()
endfunction()

# fanfare_tests(TARGET): a program of unit tests.
function(fanfare_tests target)
  target_link_libraries(${target} PRIVATE fanfare_flags GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${target} PRIVATE FANFARE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  if(FANFARE_SANITIZE AND NOT FANFARE_TEST_LINES)
    target_compile_options(${target} PRIVATE -g0)
  endif()
  fanfare_precompile(${target} tests)
endfunction()

if(FANFARE_PRECOMPILED)
  set(standard <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <cstring> <deque>
    <expected> <functional> <map> <memory> <mutex> <optional> <span> <string> <string_view> <thread>
    <unordered_map> <utility> <variant> <vector>)
  fanfare_precompiled(fanfare_precompiled_standard HEADERS ${standard})
  fanfare_precompiled(fanfare_precompiled_room OPTIONS ${FANFARE_ROOM_OPTIONS} HEADERS ${standard})
  fanfare_precompiled(fanfare_precompiled_computing OPTIONS ${FANFARE_COMPUTING_OPTIONS} HEADERS ${standard})
  if(FANFARE_TESTS)
    fanfare_precompiled(fanfare_precompiled_tests LINK GTest::gtest
      HEADERS ${standard} <future> <sstream> <gmock/gmock.h> <gtest/gtest.h>)
  endif()
endif()
