hatchery_bench(hooks SOURCES hooks.cc USES hatchery_hooks hatchery_flows hatchery_registry hatchery_ca)
add_executable(bench_hooks_echo hooks_echo.c)
add_dependencies(bench_hooks bench_hooks_echo hook_serial_prefix)
target_link_libraries(bench_hooks PRIVATE spdlog::spdlog)
target_compile_definitions(bench_hooks PRIVATE
    HATCHERY_PLUGIN="$<TARGET_FILE:hook_serial_prefix>" HATCHERY_ECHO="$<TARGET_FILE:bench_hooks_echo>")
