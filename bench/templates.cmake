hatchery_bench(templates SOURCES templates.cc USES hatchery_templates)
