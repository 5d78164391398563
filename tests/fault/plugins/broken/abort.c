/* Gives up while it is made, and the process with it. */
#include <lynceus/plugin.h>
#include <stdlib.h>

static lynceus_status create_and_abort(uint32_t model, const lynceus_host* host, void** instance,
                                       const void** interface_struct) {
  (void)model, (void)host, (void)instance, (void)interface_struct;
  abort();
}

#define BROKEN_CREATE create_and_abort
#include "broken.h"

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance, (void)volume;
  return LYNCEUS_OK;
}
