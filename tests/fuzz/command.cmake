# hatchery_fuzz targets of this box
hatchery_fuzz(allow_csv SOURCES allow_csv.cc USES hatchery_command)
hatchery_fuzz(config SOURCES config.cc USES hatchery_command)
