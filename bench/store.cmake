hatchery_bench(store SOURCES store.cc USES hatchery_registry SQLite::SQLite3)
