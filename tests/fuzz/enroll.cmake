# hatchery_fuzz targets of this box
hatchery_fuzz(est_body SOURCES est_body.cc USES hatchery_enroll hatchery_http)
