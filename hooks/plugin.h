/* A pre-provisioning hook as a shared object: the C interface, version 1.
 *
 * A plugin exports the four functions below. Hatchery calls abi_version first and refuses another
 * version; then open once, decide for each device (from many threads at once), close at the end.
 * A plugin runs inside the server: it must return well within five seconds, since nothing can end
 * it, and a crash of it is a crash of the server. Whoever cannot promise that writes a "command".
 */
#ifndef HATCHERY_HOOKS_PLUGIN_H
#define HATCHERY_HOOKS_PLUGIN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { HATCHERY_HOOK_ABI = 1 };

/* UTF-8, not terminated by 0, valid until the call returns. */
typedef struct hatchery_text {
    const char* data;
    size_t size;
} hatchery_text;

typedef struct hatchery_parameter {
    hatchery_text name;
    hatchery_text value;
} hatchery_parameter;

/* What AWS sends a pre-provisioning hook. */
typedef struct hatchery_hook_event {
    hatchery_text claim_certificate_id;
    hatchery_text certificate_id;
    hatchery_text certificate_pem;
    hatchery_text template_arn;
    hatchery_text client_id;
    const hatchery_parameter* parameters;
    size_t parameter_count;
} hatchery_hook_event;

/* How a plugin answers: by these functions, which copy their texts (terminated by 0). Without a
 * call to allow the device is refused; a refusal after it counts. `context` is passed on as it is.
 */
typedef struct hatchery_hook_answer {
    void* context;
    void (*allow)(void* context);
    void (*override_parameter)(void* context, const char* name, const char* value);
    void (*refuse)(void* context, const char* reason);
} hatchery_hook_answer;

/* HATCHERY_HOOK_ABI of the header that the plugin was compiled with. */
int hatchery_hook_abi_version(void);
/* `configuration` of hatchery.toml, terminated by 0; *hook is handed to the calls below.
 * Returns 0, or anything else where the plugin cannot work. */
int hatchery_hook_open(const char* configuration, void** hook);
/* Returns 0, or anything else where it could not decide, which refuses the device. */
int hatchery_hook_decide(void* hook,
                         const hatchery_hook_event* event,
                         const hatchery_hook_answer* answer);
void hatchery_hook_close(void* hook);

#ifdef __cplusplus
}
#endif

#endif
