hatchery_bench(topic_rules SOURCES topic_rules.cc USES hatchery_topic_rules nlohmann_json::nlohmann_json)
