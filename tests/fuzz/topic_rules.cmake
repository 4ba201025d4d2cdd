# hatchery_fuzz targets of this box
hatchery_fuzz(topic_rule_sql SOURCES topic_rule_sql.cc USES hatchery_topic_rules)
