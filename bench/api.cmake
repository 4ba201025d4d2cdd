hatchery_bench(sigv4 SOURCES sigv4.cc USES hatchery_api)
hatchery_bench(api SOURCES api.cc USES hatchery_ca Threads::Threads)
