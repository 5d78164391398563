/* Takes 4 GiB behind the host's back, uses them, and forgets them. */
#include <stdlib.h>

#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  const size_t piece = (size_t)16 << 20;
  for (int i = 0; i < 256; ++i) {
    volatile char* memory = malloc(piece);
    if (!memory) return LYNCEUS_NO_RESOURCE;
    for (size_t at = 0; at < piece; at += 4096) memory[at] = 1;
    g_host->progress(g_host->context, i / 256.0, "leaking");
    if (g_host->cancelled(g_host->context)) return LYNCEUS_CANCELLED;
  }
  return LYNCEUS_OK;
}
