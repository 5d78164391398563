#!/usr/bin/env bash
# The plugin SDK as somebody outside the tree meets it: sdk_test.sh SOURCE_DIR PLUGIN…
set -euo pipefail
source=$1
shift
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
mkdir -p "$folder/include/lynceus"
cp "$source/plugins/sdk/include/lynceus/plugin.h" "$folder/include/lynceus/"
cp "$source/plugins/template/plugin.c" "$folder/"
cd "$folder"

strict=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I include)
echo '#include <lynceus/plugin.h>' > header.c
cp header.c header.cpp
cc -std=c11 "${strict[@]}" header.c
c++ -std=c++17 "${strict[@]}" header.cpp
c++ -std=c++20 "${strict[@]}" header.cpp

cc -std=c11 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -fvisibility=hidden -I include plugin.c -o template.so

for library in template.so "$@"; do
  symbols=$(nm --dynamic --defined-only --format=posix "$library" | cut -d' ' -f1)
  [[ $symbols == lynceus_plugin_entry ]] || {
    echo "$library exports '$symbols', not lynceus_plugin_entry alone" >&2
    exit 1
  }
done
