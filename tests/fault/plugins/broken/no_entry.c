/* A shared library, but no plugin. */
int lynceus_plugin_entrance(void);
__attribute__((visibility("default"))) int lynceus_plugin_entrance(void) { return 0; }
