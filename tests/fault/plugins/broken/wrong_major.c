/* Built for an interface that this Lynceus does not have. */
#define BROKEN_MAJOR 2
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  return LYNCEUS_OK;
}
