hatchery_fuzz(target SOURCES target.cc USES hatchery_api)
hatchery_fuzz(sigv4_request SOURCES sigv4_request.cc USES hatchery_api)
