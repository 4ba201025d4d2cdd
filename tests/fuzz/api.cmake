# hatchery_fuzz targets of this box
