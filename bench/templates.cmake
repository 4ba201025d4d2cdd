hatchery_bench(templates SOURCES templates.cc counted_heap.cc USES hatchery_templates)
