# fanfare_unity(TARGET [FILES]): with FANFARE_UNITY, as in the presets, FANFARE_UNITY_FILES of the target (at most FILES) are compiled as one,
# which takes less than half the time. Two files whose unnamed namespaces have one name do not compile like that: rename one, or state it
# as ALONE.
function(fanfare_unity target)
  if(FANFARE_UNITY)
    set(files ${FANFARE_UNITY_FILES})
    if(ARGC GREATER 1 AND ARGV1 LESS files)
      set(files ${ARGV1})
    endif()
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${files})
    # g++ takes every file but the first of such a unit for a header.
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# fanfare_room(NAME [DEPENDS room...] [USES room...] [LINK library...] [TEST_LINK library...] [TEST_PROCESSES n] [COMPUTES] [BYTES] [ALONE file...]
#              [NO_THREADS file...])
#
# One static library per room (src/NAME/*.cc, target fanfare_NAME) and, with FANFARE_TESTS, one test
# program NAME_test made of the room's *_test.cc files. DEPENDS names the rooms whose headers this room's headers
# include: a user of this room sees those too. USES names rooms that only its .cc files include. Both are rooms on
# lower floors; the floor check (tools/floor_check.py) compares them with the includes and with src/FLOORS.
# NO_THREADS: test files that start no thread, so ThreadSanitizer can find nothing in them; its build leaves them out. The test
# ROOM.no_threads of the other builds runs them where no thread can be started.
# COMPUTES: optimised in the sanitizer builds, too. BYTES: it reads structures from bytes, so UBSan also checks pointers there.
# LINK is private: a room's own headers must not include a library's headers.
#
# The compiler sees no other room: each target has an include folder of its own, build/include/NAME, whose only entry
# is a link NAME to src/NAME. tests/rooms checks it.
function(fanfare_room name)
  cmake_parse_arguments(ROOM "COMPUTES;BYTES" "TEST_PROCESSES" "DEPENDS;USES;LINK;TEST_LINK;ALONE;NO_THREADS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/*/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  set(depends ${ROOM_DEPENDS})
  list(TRANSFORM depends PREPEND fanfare_)
  set(uses ${ROOM_USES})
  list(TRANSFORM uses PREPEND fanfare_)

  set_source_files_properties(${ROOM_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)

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
    target_link_libraries(fanfare_${name} PUBLIC ${depends} PRIVATE fanfare_flags $<$<BOOL:${ROOM_BYTES}>:fanfare_byte_checks> ${uses} ${ROOM_LINK})
    if(FANFARE_SANITIZE AND ROOM_COMPUTES)
      target_compile_options(fanfare_${name} PRIVATE ${FANFARE_COMPUTING_OPTIONS})
      fanfare_precompile(fanfare_${name} computing)
    else()
      target_compile_options(fanfare_${name} PRIVATE ${FANFARE_ROOM_OPTIONS})
      fanfare_precompile(fanfare_${name} room)
    endif()
    fanfare_unity(fanfare_${name})
  else()
    add_library(fanfare_${name} INTERFACE)
    target_include_directories(fanfare_${name} INTERFACE ${headers})
    target_link_libraries(fanfare_${name} INTERFACE ${depends})
  endif()

  if(FANFARE_TESTS AND tests)
    fanfare_without_threads(tests ${name} ${ROOM_NO_THREADS})
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE fanfare_${name} ${uses} ${ROOM_LINK} ${ROOM_TEST_LINK})
    fanfare_tests(${name}_test)
    fanfare_unity(${name}_test)
    # One process per room: one per test would take longer to start than all tests to run. The tests of a room that mostly wait are
    # divided among TEST_PROCESSES, which start first.
    set(processes 1)
    if(ROOM_TEST_PROCESSES)
      set(processes ${ROOM_TEST_PROCESSES})
    endif()
    foreach(process RANGE 1 ${processes})
      set(test ${name})
      if(process GREATER 1)
        set(test ${name}.${process})
      endif()
      math(EXPR shard "${process} - 1")
      add_test(NAME ${test} COMMAND ${name}_test --gtest_brief=1)
      set_tests_properties(${test} PROPERTIES LABELS ${name} TIMEOUT 1200 COST ${processes}
        ENVIRONMENT "GTEST_TOTAL_SHARDS=${processes};GTEST_SHARD_INDEX=${shard}")
    endforeach()
  endif()
endfunction()

# fanfare_without_threads(LIST ROOM FILE...): the parameter NO_THREADS. LIST is the list of the room's test files.
function(fanfare_without_threads list room)
  set(all ${${list}})
  set(threadless ${ARGN})
  if(NOT threadless)
    return()
  endif()
  list(TRANSFORM threadless PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  foreach(file ${threadless})
    if(NOT file IN_LIST all)
      message(FATAL_ERROR "${file} is in NO_THREADS, but is no test file of the room ${room}")
    endif()
  endforeach()
  if(FANFARE_SANITIZE MATCHES "thread")
    list(REMOVE_ITEM all ${threadless})
    set(${list} ${all} PARENT_SCOPE)
  elseif(FANFARE_CONFORMANCE)
    add_test(NAME ${room}.no_threads COMMAND ${CMAKE_COMMAND} -E env --unset=GTEST_FILTER python3 ${PROJECT_SOURCE_DIR}/tools/no_threads.py
      $<TARGET_FILE:programs_without_threads> $<TARGET_FILE:${room}_test> ${threadless})
    set_tests_properties(${room}.no_threads PROPERTIES LABELS rooms TIMEOUT 1200)
  endif()
endfunction()
