hatchery_bench(store SOURCES store.cc USES hatchery_registry SQLite::SQLite3)
hatchery_bench(whole SOURCES whole.cc USES hatchery_registry SQLite::SQLite3)
