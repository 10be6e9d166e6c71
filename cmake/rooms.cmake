# fanfare_room(NAME [DEPENDS room...] [USES room...] [LINK library...] [TEST_LINK library...])
#
# One static library per room (src/NAME/*.cc, target fanfare_NAME) and, with FANFARE_TESTS, one test
# program NAME_test made of the room's *_test.cc files. DEPENDS names the rooms whose headers this room's headers
# include: a user of this room sees those too. USES names rooms that only its .cc files include. Both are rooms on
# lower floors; the floor check (tools/floor_check.py) compares them with the includes and with src/FLOORS.
# LINK is private: a room's own headers must not include a library's headers.
#
# The compiler sees no other room: each target has an include folder of its own, build/include/NAME, whose only entry
# is a link NAME to src/NAME. tests/rooms checks it.
function(fanfare_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;USES;LINK;TEST_LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(depends ${ROOM_DEPENDS})
  list(TRANSFORM depends PREPEND fanfare_)
  set(uses ${ROOM_USES})
  list(TRANSFORM uses PREPEND fanfare_)

  set(headers ${PROJECT_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${headers})
  # Relative, so that the link also fits where both folders are mounted elsewhere.
  file(REAL_PATH ${headers} from)
  file(REAL_PATH ${CMAKE_CURRENT_SOURCE_DIR} to)
  file(RELATIVE_PATH to ${from} ${to})
  file(CREATE_LINK ${to} ${headers}/${name} SYMBOLIC)

  if(sources)
    add_library(fanfare_${name} STATIC ${sources})
    target_include_directories(fanfare_${name} PUBLIC ${headers})
    target_link_libraries(fanfare_${name} PUBLIC ${depends} PRIVATE fanfare_flags ${uses} ${ROOM_LINK})
    if(FANFARE_PRECOMPILED)
      target_precompile_headers(fanfare_${name} REUSE_FROM fanfare_precompiled_standard)
    endif()
  else()
    add_library(fanfare_${name} INTERFACE)
    target_include_directories(fanfare_${name} INTERFACE ${headers})
    target_link_libraries(fanfare_${name} INTERFACE ${depends})
  endif()

  if(FANFARE_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE
      fanfare_${name} fanfare_flags ${uses} ${ROOM_LINK} ${ROOM_TEST_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
    if(FANFARE_SANITIZE)
      # Optimising the tests takes as long as the rest of the build and makes nothing faster.
      target_compile_options(${name}_test PRIVATE -O0)
    endif()
    if(FANFARE_PRECOMPILED)
      target_precompile_headers(${name}_test REUSE_FROM fanfare_precompiled_tests)
    endif()
    target_compile_definitions(${name}_test PRIVATE FANFARE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    # One process per room: one per test would take longer to start than all tests to run.
    add_test(NAME ${name} COMMAND ${name}_test --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES LABELS ${name} TIMEOUT 600)
  endif()
endfunction()
