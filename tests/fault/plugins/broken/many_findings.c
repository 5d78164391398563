/* Ten million findings, whatever the host says to it. */
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance;
  const lynceus_finding finding = finding_of(volume, 0.9);
  for (int i = 0; i < 10000000; ++i) g_host->report(g_host->context, &finding);
  return LYNCEUS_OK;
}
