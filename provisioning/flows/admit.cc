#include "provisioning/flows/service.h"
