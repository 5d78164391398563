/* Reports findings that say that they are only half there. */
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance;
  lynceus_finding finding = finding_of(volume, 0.9);
  finding.struct_size = sizeof finding / 2;
  return g_host->report(g_host->context, &finding);
}
