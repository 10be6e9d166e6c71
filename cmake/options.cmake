# The build options. As the top-level project (a plain clone) everything that is installed is built. Inside another project only the
# libraries are built, and only if a target links them.

# Whether the gateway's rooms are built, for fanfare::chain and the program. AUTO: if their libraries are found.
set(chain_default ON)
if(NOT PROJECT_IS_TOP_LEVEL)
  set(chain_default AUTO)
endif()
set(FANFARE_CHAIN ${chain_default} CACHE STRING "Build fanfare::chain: ON, OFF or AUTO")
# Whether the store is built, for fanfare::store. AUTO: if SQLite is found.
set(FANFARE_STORE ${chain_default} CACHE STRING "Build fanfare::store: ON, OFF or AUTO")
option(FANFARE_PROGRAM "Build the fanfare program" ${PROJECT_IS_TOP_LEVEL})
option(FANFARE_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(FANFARE_INSTALL "Make install rules and packages" ${PROJECT_IS_TOP_LEVEL})

# For builds with -flto=auto -ffat-lto-objects (the preset "package"): the program is linked from the intermediate code. The installed archives
# lose it, since it fits only the compiler that wrote it.
option(FANFARE_STRIP_LTO "Remove the intermediate code of link-time optimisation from the installed archives" OFF)

# For development of Fanfare; the presets turn these on as needed.
option(FANFARE_UNITY "Compile eight files of a room as one, which halves the time of a whole build" OFF)
option(FANFARE_WERROR "Treat warnings as errors" OFF)
option(FANFARE_TESTS "Build the unit tests" OFF)
option(FANFARE_CONFORMANCE "Build the programs of the conformance, attack, interoperability and soak runs" OFF)
option(FANFARE_FUZZ "Build the fuzzers (clang only)" OFF)
option(FANFARE_BENCH "Build the benchmarks" OFF)
# The sanitizers for the whole tree: "address,undefined", "thread", or nothing.
set(FANFARE_SANITIZE "" CACHE STRING "Sanitizers for every target")

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
  # Without a build type everything would be compiled without optimisation, which should happen only on request.
  get_property(has_several_build_types GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(NOT CMAKE_BUILD_TYPE AND NOT has_several_build_types)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
  endif()
endif()

if(FANFARE_CHAIN STREQUAL "AUTO")
  # The dependencies of the rooms in fanfare::chain; each room also searches for them, as required ones.
  find_package(PkgConfig QUIET)
  find_package(CURL QUIET)
  find_package(SQLite3 QUIET)
  find_package(yaml-cpp QUIET)
  find_package(prometheus-cpp CONFIG QUIET)
  if(PKG_CONFIG_FOUND)
    pkg_check_modules(cryptopp QUIET IMPORTED_TARGET libcrypto++)
    pkg_check_modules(secp256k1 QUIET IMPORTED_TARGET libsecp256k1)
  endif()
  set(lacking "")
  foreach(library CURL SQLite3 yaml-cpp prometheus-cpp cryptopp secp256k1)
    if(NOT ${library}_FOUND)
      list(APPEND lacking ${library})
    endif()
  endforeach()
  set(FANFARE_CHAIN ON)
  if(lacking)
    list(JOIN lacking ", " lacking)
    message(STATUS "fanfare: no fanfare::chain, since these are not found: ${lacking}")
    set(FANFARE_CHAIN OFF)
  endif()
endif()
if(FANFARE_STORE STREQUAL "AUTO")
  find_package(SQLite3 QUIET)
  set(FANFARE_STORE ${SQLite3_FOUND})
  if(NOT SQLite3_FOUND)
    message(STATUS "fanfare: no fanfare::store, since SQLite is not found")
  endif()
endif()
# The gateway keeps the canvas on disk.
if(FANFARE_CHAIN AND NOT FANFARE_STORE)
  message(FATAL_ERROR "FANFARE_CHAIN needs FANFARE_STORE")
endif()
foreach(option FANFARE_PROGRAM FANFARE_BENCH)
  if(${option} AND NOT FANFARE_CHAIN)
    message(FATAL_ERROR "${option} needs FANFARE_CHAIN: the program is the gateway")
  endif()
endforeach()
