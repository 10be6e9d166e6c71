# The target `llhttp`, Node's HTTP parser: Debian 12 ships it as C source (node-llhttp, decision 0002), newer distributions as a
# library. Compiled here, its functions are renamed to fanfare_llhttp_*: a program that links libfanfare.a may contain
# another version of llhttp, and the linker would silently use one of the two for both.
find_package(llhttp QUIET)
if(TARGET llhttp::llhttp_static OR TARGET llhttp::llhttp_shared)
  return()
endif()

set(llhttp_dir /usr/share/llhttp)
file(GLOB_RECURSE llhttp_sources ${llhttp_dir}/*.c)
if(NOT llhttp_sources)
  message(FATAL_ERROR "llhttp not found: install node-llhttp (Debian 12) or libllhttp-dev")
endif()

# Every name that is called or defined as a function; extra names do no harm, since all files include the same header.
set(names "")
foreach(source ${llhttp_sources} /usr/share/include/llhttp/llhttp.h)
  file(READ ${source} text)
  string(REGEX MATCHALL "llhttp_[a-z0-9_]+ *\\(" calls "${text}")
  list(APPEND names ${calls})
endforeach()
list(TRANSFORM names REPLACE " *\\(" "")
list(REMOVE_DUPLICATES names)
list(SORT names)
list(TRANSFORM names REPLACE "(.+)" "#define \\1 fanfare_\\1" OUTPUT_VARIABLE defines)
list(JOIN defines "\n" defines)
set(llhttp_names ${PROJECT_BINARY_DIR}/llhttp_names.h)
file(CONFIGURE OUTPUT ${llhttp_names} CONTENT "${defines}\n" @ONLY)

add_library(llhttp STATIC ${llhttp_sources})
target_include_directories(llhttp SYSTEM PUBLIC /usr/share/include/llhttp /usr/share/include)
target_compile_options(llhttp PUBLIC "SHELL:-include ${llhttp_names}")
target_link_libraries(llhttp PRIVATE fanfare_hardening)
