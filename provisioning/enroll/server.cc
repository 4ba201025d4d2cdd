#include "provisioning/enroll/server.h"
