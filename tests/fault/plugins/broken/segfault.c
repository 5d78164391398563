/* Writes where nothing is. */
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)volume;
  volatile int* nowhere = (volatile int*)instance;
  *nowhere = 1;
  return LYNCEUS_OK;
}
