# hatchery_fuzz targets of this box
hatchery_fuzz(csr SOURCES csr.cc USES hatchery_ca OpenSSL::Crypto)
hatchery_fuzz(certificate SOURCES certificate.cc USES hatchery_ca)
hatchery_fuzz(profile SOURCES profile.cc USES hatchery_ca)
hatchery_fuzz(ocsp_request SOURCES ocsp_request.cc USES hatchery_ca)
