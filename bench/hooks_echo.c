/* A `command` worker that does nothing but allow: reads a line, repeats its requestId. */
#include <stdio.h>
#include <string.h>

int main(void) {
    static char line[1 << 20];
    while (fgets(line, sizeof line, stdin) != NULL) {
        const char* const id = strchr(line, ':');
        if (id == NULL) return 1;
        const char* const end = strchr(id + 2, '"');
        if (end == NULL) return 1;
        printf("{\"requestId\":%.*s,\"allowProvisioning\":true}\n", (int)(end - id), id + 1);
        fflush(stdout);
    }
    return 0;
}
