hatchery_bench(registry SOURCES registry.cc USES hatchery_registry SQLite::SQLite3)
