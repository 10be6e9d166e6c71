# fanfare_room(NAME [DEPENDS room...] [LINK library...] [TEST_LINK library...])
#
# One static library per room (src/NAME/*.cc, target fanfare_NAME) and, with FANFARE_TESTS, one test
# program NAME_test made of the room's *_test.cc files. DEPENDS names rooms on lower floors only; the
# floor check (tools/floor_check.py) reads the includes and enforces src/FLOORS.
# LINK is private: a room's own headers must not include a dependency's headers.
function(fanfare_room name)
  cmake_parse_arguments(ROOM "" "" "DEPENDS;LINK;TEST_LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(depends "")
  foreach(room ${ROOM_DEPENDS})
    list(APPEND depends fanfare_${room})
  endforeach()

  if(sources)
    add_library(fanfare_${name} STATIC ${sources})
    target_include_directories(fanfare_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(fanfare_${name} PUBLIC ${depends} PRIVATE fanfare_flags ${ROOM_LINK})
    if(FANFARE_PRECOMPILED)
      target_precompile_headers(fanfare_${name} REUSE_FROM fanfare_precompiled_standard)
    endif()
  else()
    add_library(fanfare_${name} INTERFACE)
    target_include_directories(fanfare_${name} INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_link_libraries(fanfare_${name} INTERFACE ${depends})
  endif()

  if(FANFARE_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE
      fanfare_${name} fanfare_flags ${ROOM_LINK} ${ROOM_TEST_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
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
