# hatchery_fuzz targets of this box
hatchery_fuzz(policy SOURCES policy.cc USES hatchery_policy)
