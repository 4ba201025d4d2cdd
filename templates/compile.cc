#include "templates/template.h"
