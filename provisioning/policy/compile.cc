#include "provisioning/policy/policy.h"
