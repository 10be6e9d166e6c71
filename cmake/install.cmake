# The files that `cmake --install` and the .deb install: the public headers, the libraries of libraries.cmake, their CMake package and
# pkg-config files (component "library"), and the fanfare program (component "program").
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fanfare)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH FANFARE_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(FANFARE_PC_LLHTTP "")
if(NOT TARGET llhttp)
  set(FANFARE_PC_LLHTTP "-lllhttp")
endif()

# An export set and a pkg-config file for each, so that no library requires the dependencies of another.
function(fanfare_install target component package)
  install(TARGETS ${target} EXPORT fanfare-${component} COMPONENT library)
  install(EXPORT fanfare-${component} NAMESPACE fanfare:: FILE fanfare-${component}-targets.cmake
    DESTINATION ${package_dir} COMPONENT library)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/${package}.pc.in ${PROJECT_BINARY_DIR}/${package}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${package}.pc DESTINATION ${pkgconfig_dir} COMPONENT library)
endfunction()
fanfare_install(fanfare_library static fanfare)
if(TARGET fanfare_shared)
  fanfare_install(fanfare_shared shared fanfare-shared)
endif()
if(FANFARE_STORE)
  fanfare_install(fanfare_store_library store fanfare-store)
endif()
if(FANFARE_CHAIN)
  fanfare_install(fanfare_chain_library chain fanfare-chain)
endif()

# If libfanfare.so is installed too, -lfanfare means the shared library. So the archive has a second name. Every linker supports that,
# and so does CMake's parser of pkg-config files, which loses the folder of -l:libfanfare.a.
file(CREATE_LINK libfanfare.a ${PROJECT_BINARY_DIR}/libfanfare-static.a SYMBOLIC)
install(FILES ${PROJECT_BINARY_DIR}/libfanfare-static.a DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/fanfare-config.cmake.in
  ${PROJECT_BINARY_DIR}/fanfare-config.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a new minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fanfare-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/fanfare-config.cmake ${PROJECT_BINARY_DIR}/fanfare-config-version.cmake
  DESTINATION ${package_dir} COMPONENT library)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/fanfare DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
# The licence must be part of every copy, and Debian expects it under this name.
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT library)
if(FANFARE_PROGRAM)
  install(TARGETS fanfare COMPONENT program)
  # The dashboard, if it was built: it needs Node 20 and npm. `./dev build` builds it, or `cmake --build TREE --target web`.
  add_custom_target(web COMMAND bash ${PROJECT_SOURCE_DIR}/tools/build_web.sh ${PROJECT_BINARY_DIR} VERBATIM)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/share/fanfare/web DESTINATION ${CMAKE_INSTALL_DATADIR}/fanfare
    COMPONENT program OPTIONAL PATTERN ".built-from" EXCLUDE)
endif()

# Packages are made only if this is the top-level project; an enclosing project makes its own.
if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_CONTACT "The Fanfare authors")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION net)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)
  # Running the program needs none of these; linking the static library needs all.
  set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libssl-dev, zlib1g-dev, libdeflate-dev, liburing-dev")
  set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libsqlite3-dev, libcurl4-openssl-dev, libyaml-cpp-dev, prometheus-cpp-dev, libcrypto++-dev, libsecp256k1-dev")
  include(CPack)
endif()
