# benchmarks of this box
hatchery_bench(sign SOURCES sign.cc USES hatchery_ca OpenSSL::Crypto)
