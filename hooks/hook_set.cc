#include "hooks/hook.h"
