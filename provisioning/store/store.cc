#include "provisioning/store/store.h"
