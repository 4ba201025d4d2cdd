# Build rules that every folder uses: hatchery_box, hatchery_program, hatchery_test, hatchery_fuzz, hatchery_bench.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

option(HATCHERY_WERROR "Treat warnings as errors" OFF)
option(HATCHERY_TESTS "Build the tests" OFF)
option(HATCHERY_BENCH "Build the benchmarks" OFF)
option(HATCHERY_UNITY "Compile the files of a box together: faster clean builds; off where a missing include must show" OFF)
option(HATCHERY_FUZZ "Build fuzz targets with libFuzzer (clang); otherwise they replay their corpus" OFF)

find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(tl-expected REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)

# Debian's standalone Asio has no CMake package. Its 1.22 does not recognise clang 14's coroutines by itself.
add_library(hatchery_asio INTERFACE)
target_compile_definitions(hatchery_asio INTERFACE ASIO_STANDALONE ASIO_NO_DEPRECATED
    $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_CO_AWAIT=1> $<$<CXX_COMPILER_ID:Clang>:ASIO_HAS_STD_COROUTINE=1>)
target_link_libraries(hatchery_asio INTERFACE Threads::Threads OpenSSL::SSL OpenSSL::Crypto)
add_library(hatchery::asio ALIAS hatchery_asio)

add_library(hatchery_rules INTERFACE)
target_include_directories(hatchery_rules INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(hatchery_rules INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
    $<$<BOOL:${HATCHERY_WERROR}>:-Werror>
    # GCC 12's optimiser sees overlaps and overruns inside libstdc++'s own string and vector (GCC PR 105651, 105329).
    "$<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-stringop-overread;-Wno-stringop-overflow;-Wno-array-bounds>"
    -fstack-protector-strong
    $<$<CONFIG:Release>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS>)

# Compiles a target's files eight at a time, so that each library header is read once for eight of them. A name in an
# anonymous namespace must therefore be unique in its box.
function(hatchery_unite target)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ${HATCHERY_UNITY} UNITY_BUILD_BATCH_SIZE 8)
    if(HATCHERY_UNITY)  # GCC takes a joined file for a header, and warns of a local type in a class there
        target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
    endif()
endfunction()

# hatchery_box(NAME [PUBLIC_HEADERS h...] SOURCES cc... [USES public link...] [INSIDE private link...])
# Makes the static library hatchery_NAME. PUBLIC_HEADERS is the box's face: tests/layering reads it.
function(hatchery_box name)
    cmake_parse_arguments(BOX "" "" "PUBLIC_HEADERS;SOURCES;USES;INSIDE" ${ARGN})
    set(target hatchery_${name})
    add_library(${target} STATIC ${BOX_SOURCES})
    target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${BOX_PUBLIC_HEADERS})
    set_target_properties(${target} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
    target_link_libraries(${target} PUBLIC hatchery_rules tl::expected ${BOX_USES} PRIVATE ${BOX_INSIDE})
    hatchery_unite(${target})
endfunction()

# hatchery_program(NAME SOURCES cc... USES link...): an executable in the build folder's top.
function(hatchery_program name)
    cmake_parse_arguments(PROGRAM "" "" "SOURCES;USES" ${ARGN})
    add_executable(${name} ${PROGRAM_SOURCES})
    target_link_libraries(${name} PRIVATE hatchery_rules ${PROGRAM_USES})
endfunction()

# hatchery_test(NAME SOURCES cc... USES link... [LABELS unit]): GoogleTest; each TEST is one ctest entry.
# Tests find their data below HATCHERY_TEST_DATA (= tests/data).
function(hatchery_test name)
    cmake_parse_arguments(TEST "" "LABELS" "SOURCES;USES" ${ARGN})
    if(NOT TEST_LABELS)
        set(TEST_LABELS unit)
    endif()
    find_package(GTest REQUIRED)
    include(GoogleTest)
    add_executable(${name} ${TEST_SOURCES})
    target_link_libraries(${name} PRIVATE hatchery_rules ${TEST_USES} GTest::gtest GTest::gmock GTest::gtest_main)
    target_compile_options(${name} PRIVATE -O1)  # nobody times a test: its own code only has to compile quickly
    target_compile_definitions(${name} PRIVATE
        HATCHERY_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data" HATCHERY_BINARY_DIR="${CMAKE_BINARY_DIR}")
    gtest_discover_tests(${name} TEST_PREFIX ${name}. PROPERTIES LABELS ${TEST_LABELS} TIMEOUT 300 DISCOVERY_TIMEOUT 60)
endfunction()

# hatchery_fuzz(NAME SOURCES cc USES link...): tests/fuzz/NAME.cc with its corpus in tests/fuzz/corpus/NAME.
# With HATCHERY_FUZZ it is a libFuzzer binary; otherwise it replays the corpus as the plain test corpus.NAME.
function(hatchery_fuzz name)
    cmake_parse_arguments(FUZZ "" "" "SOURCES;USES" ${ARGN})
    set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    if(HATCHERY_FUZZ)
        add_executable(fuzz_${name} ${FUZZ_SOURCES})
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    else()
        add_executable(fuzz_${name} ${FUZZ_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.cc)
        add_test(NAME corpus.${name} COMMAND fuzz_${name} ${corpus})
        set_tests_properties(corpus.${name} PROPERTIES LABELS corpus TIMEOUT 120)
    endif()
    target_link_libraries(fuzz_${name} PRIVATE hatchery_rules ${FUZZ_USES})
endfunction()

# hatchery_bench(NAME SOURCES cc... USES link...): Google Benchmark, built as bench_NAME.
function(hatchery_bench name)
    cmake_parse_arguments(BENCH "" "" "SOURCES;USES" ${ARGN})
    find_package(benchmark REQUIRED)
    add_executable(bench_${name} ${BENCH_SOURCES})
    target_link_libraries(bench_${name} PRIVATE hatchery_rules ${BENCH_USES} benchmark::benchmark benchmark::benchmark_main)
endfunction()
