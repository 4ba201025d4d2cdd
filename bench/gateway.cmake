add_executable(bench_gateway gateway.cc gateway_devices.cc gateway_limit.cc gateway_load.cc)
target_link_libraries(bench_gateway
    PRIVATE hatchery_rules hatchery_fleet hatchery_ca CLI11::CLI11 nlohmann_json::nlohmann_json OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
