hatchery_bench(policy SOURCES policy.cc USES hatchery_policy)
