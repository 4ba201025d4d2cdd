/* An example plugin: a serial number has to begin with the hook's `configuration`. Build it with
 *   cc -shared -fPIC -o serial_prefix.so serial_prefix.c          (-I the folder above hooks/) */
#include "hooks/plugin.h"

#include <stdlib.h>
#include <string.h>

int hatchery_hook_abi_version(void) {
    return HATCHERY_HOOK_ABI;
}

int hatchery_hook_open(const char* configuration, void** hook) {
    if (*configuration == '\0') return 1;
    *hook = strdup(configuration);
    return *hook == NULL;
}

int hatchery_hook_decide(void* hook,
                         const hatchery_hook_event* event,
                         const hatchery_hook_answer* answer) {
    const char* const prefix = hook;
    for (size_t i = 0; i < event->parameter_count; ++i) {
        const hatchery_parameter* const parameter = &event->parameters[i];
        if (parameter->name.size != strlen("SerialNumber") ||
            memcmp(parameter->name.data, "SerialNumber", parameter->name.size) != 0)
            continue;
        const size_t size = strlen(prefix);
        if (parameter->value.size < size || memcmp(parameter->value.data, prefix, size) != 0) break;
        answer->allow(answer->context);
        return 0;
    }
    answer->refuse(answer->context, "unknown serial number");
    return 0;
}

void hatchery_hook_close(void* hook) {
    free(hook);
}
