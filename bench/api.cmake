hatchery_bench(sigv4 SOURCES sigv4.cc USES hatchery_api)
hatchery_bench(api SOURCES api.cc USES hatchery_ca Threads::Threads)
hatchery_bench(enroll SOURCES enroll.cc USES hatchery_ca OpenSSL::SSL OpenSSL::Crypto Threads::Threads)
