#include "provisioning/registry/things.h"
