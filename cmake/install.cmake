# The files that `cmake --install` and the packages install: the public headers, the libraries of libraries.cmake, their CMake package and
# pkg-config files (component "library"), and the fanfare program with its pages (component "program"). Only the packages have the component
# "service": unit, configuration and documents, at Debian's places.
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
if(FANFARE_NATS)
  fanfare_install(fanfare_nats_library nats fanfare-nats)
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
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/fanfare-dev RENAME copyright COMPONENT library)
if(FANFARE_PROGRAM)
  install(TARGETS fanfare COMPONENT program)
  # The dashboard, if it was built: it needs Node 20 and npm. `./dev build` builds it, or `cmake --build TREE --target web`.
  add_custom_target(web COMMAND bash ${PROJECT_SOURCE_DIR}/tools/build_web.sh ${PROJECT_BINARY_DIR} VERBATIM)
  install(DIRECTORY ${PROJECT_BINARY_DIR}/share/fanfare/web DESTINATION ${CMAKE_INSTALL_DATADIR}/fanfare
    COMPONENT program OPTIONAL PATTERN ".built-from" EXCLUDE)
endif()

# Manual pages and completions are made from the program's help.
if(FANFARE_PROGRAM AND PROJECT_IS_TOP_LEVEL)
  find_program(FANFARE_PYTHON python3)
  if(FANFARE_PYTHON)
    set(manual ${PROJECT_BINARY_DIR}/manual)
    add_custom_command(OUTPUT ${manual}/man/fanfare.1
      COMMAND ${FANFARE_PYTHON} ${PROJECT_SOURCE_DIR}/tools/manual.py $<TARGET_FILE:fanfare> ${manual}
      DEPENDS fanfare ${PROJECT_SOURCE_DIR}/tools/manual.py VERBATIM)
    add_custom_target(manual ALL DEPENDS ${manual}/man/fanfare.1)
    install(DIRECTORY ${manual}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT program)
    install(FILES ${manual}/bash/fanfare DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT program)
    install(FILES ${manual}/zsh/_fanfare DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT program)
  endif()
  set(packaging ${PROJECT_SOURCE_DIR}/packaging)
  install(FILES ${packaging}/fanfare.yaml DESTINATION /etc/fanfare COMPONENT service EXCLUDE_FROM_ALL)
  install(DIRECTORY ${packaging}/monitoring/ DESTINATION /usr/share/fanfare/monitoring COMPONENT service EXCLUDE_FROM_ALL)
  install(FILES ${packaging}/default DESTINATION /etc/default RENAME fanfare COMPONENT service EXCLUDE_FROM_ALL)
  install(FILES ${packaging}/fanfare.service ${packaging}/fanfare.socket DESTINATION /lib/systemd/system
    COMPONENT service EXCLUDE_FROM_ALL)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION /usr/share/doc/fanfare RENAME copyright
    COMPONENT service EXCLUDE_FROM_ALL)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION /usr/share/doc/fanfare
    COMPONENT service EXCLUDE_FROM_ALL FILES_MATCHING PATTERN "*.md" PATTERN decisions EXCLUDE PATTERN images EXCLUDE)
endif()

# Packages are made only if this is the top-level project; an enclosing project makes its own. "fanfare" has the program and the
# service, "fanfare-dev" the library.
if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_CONTACT "The Fanfare authors <fanfare@localhost>")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_STRIP_FILES ON)
  set(CPACK_DEB_COMPONENT_INSTALL ON)
  set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
  set(CPACK_COMPONENTS_ALL library)
  set(CPACK_COMPONENT_LIBRARY_GROUP dev)
  if(FANFARE_PROGRAM)
    list(APPEND CPACK_COMPONENTS_ALL program service)
    set(CPACK_COMPONENT_PROGRAM_GROUP server)
    set(CPACK_COMPONENT_SERVICE_GROUP server)
  endif()
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_SERVER_PACKAGE_NAME fanfare)
  set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION net)
  set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS "adduser")
  set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS "ca-certificates")
  set(CPACK_DEBIAN_SERVER_DESCRIPTION "WebSocket and JSON-RPC server in front of nodes\nIt serves eth_subscribe, JSON-RPC, data streams and canvases to many clients, from few calls to\nthe nodes behind it.")
  set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
    "${packaging}/debian/postinst;${packaging}/debian/prerm;${packaging}/debian/postrm;${packaging}/debian/conffiles")
  set(CPACK_DEBIAN_DEV_PACKAGE_NAME fanfare-dev)
  set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
  # What linking the static libraries needs.
  set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libssl-dev, zlib1g-dev, libdeflate-dev, liburing-dev")
  set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "libsqlite3-dev, libnats-dev, libcurl4-openssl-dev, libyaml-cpp-dev, prometheus-cpp-dev, libcrypto++-dev, libsecp256k1-dev")
  set(CPACK_DEBIAN_DEV_DESCRIPTION "WebSocket engine for C++, development files\nHeaders, libraries, CMake package and pkg-config files of Fanfare.")
  include(CPack)
  cpack_add_component_group(server)
  cpack_add_component_group(dev)
endif()
