/* Says that its description ends before its kinds. */
#define BROKEN_DESCRIPTION_SIZE 40
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  return LYNCEUS_OK;
}
