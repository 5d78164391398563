/* Has no create(). */
#define BROKEN_CREATE NULL
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume, (void)create;
  return LYNCEUS_OK;
}
