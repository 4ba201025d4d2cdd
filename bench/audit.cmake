hatchery_bench(audit SOURCES audit.cc USES hatchery_audit SQLite::SQLite3)
