/* Never comes back and never asks whether it should. */
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance;
  for (volatile int32_t i = 0;; i = volume->size[0])
    if (i < 0) return LYNCEUS_OK;
}
