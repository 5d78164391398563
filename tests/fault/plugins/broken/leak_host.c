/* Takes the host's memory until there is no more, and gives none back. */
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  const size_t piece = (size_t)16 << 20;
  for (char* memory; (memory = g_host->allocate(g_host->context, piece));)
    for (size_t i = 0; i < piece; i += 4096) memory[i] = 1;
  g_host->log(g_host->context, LYNCEUS_LOG_ERROR, "it wanted all memory and did not get it");
  return LYNCEUS_NO_RESOURCE;
}
