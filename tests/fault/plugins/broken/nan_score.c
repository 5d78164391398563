/* Is not sure, in floating point. */
#include <math.h>

#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance;
  const lynceus_finding good = finding_of(volume, 0.9), bad = finding_of(volume, (double)NAN);
  g_host->report(g_host->context, &good);
  g_host->report(g_host->context, &bad);
  return LYNCEUS_OK;
}
