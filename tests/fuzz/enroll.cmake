# hatchery_fuzz targets of this box
hatchery_fuzz(est_body SOURCES est_body.cc USES hatchery_enroll hatchery_http)
hatchery_fuzz(status_request SOURCES status_request.cc USES hatchery_enroll hatchery_http OpenSSL::Crypto)
hatchery_fuzz(file_link SOURCES file_link.cc USES hatchery_enroll hatchery_files hatchery_http)
