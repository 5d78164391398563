/* Has no detect(). */
#define BROKEN_DETECT NULL
#include "broken.h"

static inline lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  return LYNCEUS_OK;
}
