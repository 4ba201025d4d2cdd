#include "provisioning/api/server.h"
