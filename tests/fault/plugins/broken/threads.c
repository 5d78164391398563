/* Starts threads that go on after its end, and talk to the host. */
#include <pthread.h>
#include <unistd.h>

#include "broken.h"

static void* go_on(void* unused) {
  for (;;) {
    g_host->cancelled(g_host->context);
    g_host->release(g_host->context, g_host->allocate(g_host->context, 100));
    g_host->log(g_host->context, LYNCEUS_LOG_INFO, "still here");
    usleep(1000);
  }
  return unused;
}

static lynceus_status detect(void* instance, const lynceus_volume* volume) {
  (void)instance;
  pthread_t thread;
  for (int i = 0; i < 2; ++i)
    if (pthread_create(&thread, NULL, go_on, NULL) != 0) return LYNCEUS_NO_RESOURCE;
  const lynceus_finding finding = finding_of(volume, 0.9);
  return g_host->report(g_host->context, &finding);
}
