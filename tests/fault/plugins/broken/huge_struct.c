/* Says that its struct fills the address space. */
#define BROKEN_PLUGIN_SIZE SIZE_MAX
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  return LYNCEUS_OK;
}
