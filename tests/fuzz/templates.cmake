# With libFuzzer: build/fuzz/fuzz_template_compile -dict=tests/fuzz/template.dict tests/fuzz/corpus/template_compile
hatchery_fuzz(template_compile SOURCES template_compile.cc USES hatchery_templates)
hatchery_fuzz(template_resolve SOURCES template_resolve.cc USES hatchery_templates)
hatchery_fuzz(template_file SOURCES template_file.cc USES hatchery_templates)
