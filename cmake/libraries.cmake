# The libraries for other projects, in a build tree and after an installation:
#   fanfare::fanfare   libfanfare.a, the engine's rooms. Position independent, so it also fits into a shared object.
#   fanfare::shared    libfanfare.so, the same, exporting only symbols marked with FANFARE_EXPORT in include/fanfare
#   fanfare::store     libfanfare-store.a, which implements fanfare/store.h, on top of libfanfare.a
#   fanfare::nats      libfanfare-nats.a, which implements fanfare/nats.h, on top of libfanfare.a
#   fanfare::chain     libfanfare-chain.a, which implements fanfare/chain.h, on top of libfanfare.a
if(FANFARE_INSTALL)
  include(GNUInstallDirs)
endif()
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)

# fanfare_objects(LIBRARY ROOM...): builds the library from these rooms.
function(fanfare_objects library)
  foreach(room ${ARGN})
    target_sources(${library} PRIVATE $<TARGET_OBJECTS:fanfare_${room}>)
  endforeach()
  set_target_properties(${library} PROPERTIES LINKER_LANGUAGE CXX)
  # The headers need C++20; the implementation is already compiled.
  target_compile_features(${library} INTERFACE cxx_std_20)
  target_include_directories(${library} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(NOT PROJECT_IS_TOP_LEVEL)
    set_target_properties(${library} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

set(engine_rooms base ws http jsonrpc trace access net session pubsub server streams canvas streamserver canvasserver rpc api)
set(engine_libraries OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB Threads::Threads deflate uring)
if(NOT TARGET llhttp)
  list(APPEND engine_libraries llhttp)
endif()

add_library(fanfare_library STATIC)
fanfare_objects(fanfare_library ${engine_rooms})
target_link_libraries(fanfare_library INTERFACE ${engine_libraries})
if(TARGET llhttp)
  target_sources(fanfare_library PRIVATE $<TARGET_OBJECTS:llhttp>)
endif()
set_target_properties(fanfare_library PROPERTIES OUTPUT_NAME fanfare EXPORT_NAME fanfare)
add_library(fanfare::fanfare ALIAS fanfare_library)

# Sanitizers need their runtime in the program, and such builds are not shipped.
if(NOT FANFARE_SANITIZE)
  add_library(fanfare_shared SHARED)
  fanfare_objects(fanfare_shared ${engine_rooms})
  target_link_libraries(fanfare_shared PRIVATE fanfare_flags ${engine_libraries})
  if(TARGET llhttp)
    target_sources(fanfare_shared PRIVATE $<TARGET_OBJECTS:llhttp>)
  endif()
  # Templates of the standard library have default visibility; the version script hides them.
  set(exports ${CMAKE_CURRENT_LIST_DIR}/exports.map)
  target_link_options(fanfare_shared PRIVATE -Wl,-z,defs -Wl,--version-script=${exports})
  # Before 1.0 a new minor version may change the API, and with it the ABI.
  set_target_properties(fanfare_shared PROPERTIES OUTPUT_NAME fanfare EXPORT_NAME shared LINK_DEPENDS ${exports}
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  add_library(fanfare::shared ALIAS fanfare_shared)
endif()

if(FANFARE_STORE)
  add_library(fanfare_store_library STATIC)
  fanfare_objects(fanfare_store_library store canvasstore)
  target_link_libraries(fanfare_store_library INTERFACE fanfare_library sqlite3)
  set_target_properties(fanfare_store_library PROPERTIES OUTPUT_NAME fanfare-store EXPORT_NAME store)
  add_library(fanfare::store ALIAS fanfare_store_library)
endif()

if(FANFARE_NATS)
  add_library(fanfare_nats_library STATIC)
  fanfare_objects(fanfare_nats_library relay)
  target_link_libraries(fanfare_nats_library INTERFACE fanfare_library nats)
  set_target_properties(fanfare_nats_library PROPERTIES OUTPUT_NAME fanfare-nats EXPORT_NAME nats)
  add_library(fanfare::nats ALIAS fanfare_nats_library)
endif()

if(FANFARE_CHAIN)
  add_library(fanfare_chain_library STATIC)
  fanfare_objects(fanfare_chain_library eth devchain upstream admin gateway)
  target_link_libraries(fanfare_chain_library INTERFACE
    fanfare_store_library fanfare_nats_library fanfare_library curl yaml-cpp prometheus-cpp-core crypto++ secp256k1)
  set_target_properties(fanfare_chain_library PROPERTIES OUTPUT_NAME fanfare-chain EXPORT_NAME chain)
  add_library(fanfare::chain ALIAS fanfare_chain_library)
endif()

if(FANFARE_STRIP_LTO)
  foreach(library fanfare_library fanfare_store_library fanfare_nats_library fanfare_chain_library)
    if(TARGET ${library})
      add_custom_command(TARGET ${library} POST_BUILD VERBATIM COMMAND ${CMAKE_OBJCOPY} --enable-deterministic-archives --wildcard
        --remove-section=.gnu.lto_* --remove-section=.gnu.debuglto_* --strip-symbol=__gnu_lto_v1 --strip-symbol=__gnu_lto_slim $<TARGET_FILE:${library}>)
    endif()
  endforeach()
endif()
