/* Calls itself what no line of a terminal should hold. */
#define BROKEN_ID "org.example\033[2J\n../../evil"
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  return LYNCEUS_OK;
}
