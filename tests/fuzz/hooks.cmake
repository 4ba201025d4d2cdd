# hatchery_fuzz targets of this box
hatchery_fuzz(hook_decision SOURCES hook_decision.cc USES hatchery_hooks)
hatchery_fuzz(hook_rules SOURCES hook_rules.cc USES hatchery_hooks)
hatchery_fuzz(hook_worker_answer SOURCES hook_worker_answer.cc USES hatchery_hooks)
