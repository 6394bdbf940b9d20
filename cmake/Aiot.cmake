# What every target shares, and the few functions with which rooms and tests are declared.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenSSL REQUIRED)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(LIBCOAP REQUIRED IMPORTED_TARGET libcoap-3-openssl)
pkg_check_modules(LIBMOSQUITTO REQUIRED IMPORTED_TARGET libmosquitto)
pkg_check_modules(LIBWEBSOCKETS REQUIRED IMPORTED_TARGET libwebsockets)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.37)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(LIBARGON2 REQUIRED IMPORTED_TARGET libargon2)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers need the sloppiness to be cached at all (ccache manual, "Precompiled headers").
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE_PROGRAM})
endif()

add_library(aiot_options INTERFACE)
target_compile_options(aiot_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wconversion
  -Wno-sign-conversion -Wno-missing-field-initializers
  # g++ 12 sees overlapping copies in optimised string concatenation that are not there (GCC bug 105329).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-restrict>
  $<$<BOOL:${AIOT_WERROR}>:-Werror>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:${AIOT_PCH}>>:-fpch-preprocess -Winvalid-pch>)
target_include_directories(aiot_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(aiot_options INTERFACE AIOT_VERSION="${PROJECT_VERSION}")
if(AIOT_SANITIZE)
  add_compile_options(-fsanitize=${AIOT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${AIOT_SANITIZE})
endif()

if(AIOT_FUZZ)
  # Coverage of the rooms themselves guides the fuzzer; without it it would search blindly.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
endif()

# aiot_room(NAME SOURCES a.cpp ... [DEPS other rooms] [LIBS third-party, private] [PCH <header> ...])
# PCH pays only where nearly every file uses the header: CLI11's made a file of cli/ that does not use it cost
# 17 s instead of 3.5 s, since its objects are made anew in each.
function(aiot_room name)
  cmake_parse_arguments(R "" "" "SOURCES;DEPS;LIBS;PCH" ${ARGN})
  add_library(aiot_${name} STATIC ${R_SOURCES})
  list(TRANSFORM R_DEPS PREPEND aiot_)
  target_link_libraries(aiot_${name} PUBLIC aiot_options fmt::fmt ${R_DEPS} PRIVATE ${R_LIBS})
  if(AIOT_PCH AND R_PCH)
    target_precompile_headers(aiot_${name} PRIVATE ${R_PCH})
  endif()
endfunction()

# aiot_test(NAME SOURCES a_test.cpp ... [DEPS rooms] [LIBS ...] [LABELS ...] [NAMESPACE])
# One Catch2 program, one ctest. NAMESPACE runs it in a network namespace of its own.
function(aiot_test name)
  cmake_parse_arguments(T "NAMESPACE" "TIMEOUT" "SOURCES;DEPS;LIBS;LABELS" ${ARGN})
  string(REPLACE "." "_" target "test_${name}")
  add_executable(${target} ${T_SOURCES})
  list(TRANSFORM T_DEPS PREPEND aiot_)
  target_link_libraries(${target} PRIVATE aiot_catch_main aiot_options fmt::fmt ${T_DEPS} ${T_LIBS})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  set(command $<TARGET_FILE:${target}>)
  if(T_NAMESPACE)
    set(command ${PROJECT_SOURCE_DIR}/tests/support/in_namespace ${command})
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND ${command})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}"
    ENVIRONMENT "AIOT_BIN=$<TARGET_FILE:aiot>;AIOT_SOURCE_DIR=${PROJECT_SOURCE_DIR}")
endfunction()

# aiot_script_test(NAME FILE file.test.mjs [LABELS ...] [TIMEOUT s])
# A node:test file against the built binary ($AIOT_BIN), in a network namespace of its own.
function(aiot_script_test name)
  cmake_parse_arguments(T "" "FILE;TIMEOUT" "LABELS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 180)
  endif()
  add_test(NAME ${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/support/in_namespace
    node --test ${CMAKE_CURRENT_SOURCE_DIR}/${T_FILE})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}"
    ENVIRONMENT "AIOT_BIN=$<TARGET_FILE:aiot>;AIOT_SOURCE_DIR=${PROJECT_SOURCE_DIR};AIOT_BUILD_DIR=${PROJECT_BINARY_DIR};NODE_PATH=${PROJECT_SOURCE_DIR}/tests/node_modules")
  if(AIOT_SANITIZE)
    set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT AIOT_SANITIZED=1)
  endif()
endfunction()

# aiot_fuzz(NAME SOURCES x_fuzz.cpp [DEPS rooms]): a libFuzzer program with its corpus in
# tests/fuzz/corpus/NAME. Target `fuzz` builds all of them.
function(aiot_fuzz name)
  cmake_parse_arguments(F "" "" "SOURCES;DEPS;LIBS" ${ARGN})
  add_executable(fuzz_${name} ${F_SOURCES})
  if(NOT TARGET fuzz)
    add_custom_target(fuzz)
  endif()
  add_dependencies(fuzz fuzz_${name})
  list(TRANSFORM F_DEPS PREPEND aiot_)
  target_link_libraries(fuzz_${name} PRIVATE aiot_options fmt::fmt ${F_DEPS} ${F_LIBS})
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_test(NAME fuzz.${name} COMMAND ${PROJECT_SOURCE_DIR}/tests/fuzz/run $<TARGET_FILE:fuzz_${name}>
    ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 120 LABELS fuzz)
endfunction()
