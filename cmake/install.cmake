# What `cmake --install` and the .deb bring: the public headers, a static library made of the engine's rooms, another
# one with the rooms behind fanfare/chain.h, their CMake package and pkg-config files (component "library"), and the
# fanfare program (component "program").
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)

add_library(fanfare_library STATIC)
foreach(room base ws http net session pubsub api)
  target_sources(fanfare_library PRIVATE $<TARGET_OBJECTS:fanfare_${room}>)
endforeach()
target_link_libraries(fanfare_library INTERFACE
  OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB Threads::Threads deflate uring spdlog fmt)
set(FANFARE_PC_LLHTTP "")
if(TARGET llhttp)
  target_sources(fanfare_library PRIVATE $<TARGET_OBJECTS:llhttp>)  # compiled here, see decision 0002
else()
  target_link_libraries(fanfare_library INTERFACE llhttp)
  set(FANFARE_PC_LLHTTP "-lllhttp")
endif()
set_target_properties(fanfare_library PROPERTIES OUTPUT_NAME fanfare EXPORT_NAME fanfare LINKER_LANGUAGE CXX)
target_compile_features(fanfare_library INTERFACE cxx_std_20)
target_include_directories(fanfare_library INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# fanfare::chain, for nodes: what only it needs is not asked of those who do without.
add_library(fanfare_chain_library STATIC)
foreach(room jsonrpc eth devchain upstream gateway)
  target_sources(fanfare_chain_library PRIVATE $<TARGET_OBJECTS:fanfare_${room}>)
endforeach()
target_link_libraries(fanfare_chain_library INTERFACE
  fanfare_library curl yaml-cpp prometheus-cpp-core crypto++ secp256k1)
set_target_properties(fanfare_chain_library PROPERTIES OUTPUT_NAME fanfare-chain EXPORT_NAME chain LINKER_LANGUAGE CXX)
target_compile_features(fanfare_chain_library INTERFACE cxx_std_20)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fanfare)
file(RELATIVE_PATH FANFARE_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/fanfare.pc.in ${PROJECT_BINARY_DIR}/fanfare.pc @ONLY)
configure_file(${CMAKE_CURRENT_LIST_DIR}/fanfare-chain.pc.in ${PROJECT_BINARY_DIR}/fanfare-chain.pc @ONLY)
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/fanfare-config.cmake.in
  ${PROJECT_BINARY_DIR}/fanfare-config.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a new minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/fanfare-config-version.cmake COMPATIBILITY SameMinorVersion)

install(TARGETS fanfare_library fanfare_chain_library EXPORT fanfare COMPONENT library)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/fanfare DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(EXPORT fanfare NAMESPACE fanfare:: FILE fanfare-targets.cmake DESTINATION ${package_dir} COMPONENT library)
install(FILES ${PROJECT_BINARY_DIR}/fanfare-config.cmake ${PROJECT_BINARY_DIR}/fanfare-config-version.cmake
  DESTINATION ${package_dir} COMPONENT library)
install(FILES ${PROJECT_BINARY_DIR}/fanfare.pc ${PROJECT_BINARY_DIR}/fanfare-chain.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
install(TARGETS fanfare COMPONENT program)
# The licence asks to go along with every copy, and Debian looks for it under this name.
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright COMPONENT library)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The Fanfare authors")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE gzip)
# Who only runs the program needs none of these; who links the library needs all.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libssl-dev, zlib1g-dev, libdeflate-dev, liburing-dev, libspdlog-dev")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libcurl4-openssl-dev, libyaml-cpp-dev, prometheus-cpp-dev, libcrypto++-dev, libsecp256k1-dev")
include(CPack)
