NAME = "beside it"
