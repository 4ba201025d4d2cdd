# hatchery_fuzz targets of this box
hatchery_fuzz(hook_decision SOURCES hook_decision.cc USES hatchery_hooks)
