/* Says that its struct ends before its functions. */
#define BROKEN_PLUGIN_SIZE 16
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  return LYNCEUS_OK;
}
