hatchery_bench(jobs SOURCES jobs.cc USES hatchery_jobs)
