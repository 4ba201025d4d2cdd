hatchery_fuzz(job_topics SOURCES job_topics.cc USES hatchery_jobs nlohmann_json::nlohmann_json)
