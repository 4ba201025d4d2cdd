#include "provisioning/gateway/gateway.h"
