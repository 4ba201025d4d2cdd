hatchery_bench(bulk SOURCES bulk.cc USES hatchery_flows OpenSSL::Crypto)
