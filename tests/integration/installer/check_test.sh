#!/usr/bin/env bash
# installer/check in a small repository of its own: what it must find, and what it must let pass.
set -euo pipefail
source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
mkdir "$folder/with blank" && cd -- "$folder/with blank"
git init -q .
mkdir -p core/image io app/cli app/desktop/model installer
cp -- "$source/installer/check" installer/
printf '[build]\ncmake\n' > installer/packages-debian.txt
echo '`cmake`' > CONTRIBUTING.md

failed=0
# expect WHAT NEEDLE COMMAND…: the command fails and says NEEDLE; an empty NEEDLE means that it passes in silence.
expect() {
  local what=$1 needle=$2 output status=0
  shift 2
  git add -A
  output=$("$@" 2>&1) || status=$?
  if [[ -z $needle && $status == 0 && -z $output ]] || [[ -n $needle && $status == 1 && $output == *"$needle"* ]]; then return; fi
  printf 'FAILED: %s\n  status %s, output: %s\n' "$what" "$status" "$output"
  failed=1
}

printf '#include <vector>\n#include "core/image/volume.h"\n' > core/image/volume.cpp
printf '#include <dcmtk/dcmdata/dctk.h>\n#include <itkImage.h>\n#include "core/error.h"\n' > io/load.cpp
printf '#include "io/load.h"\n#include <cstdio>\n' > app/cli/info.cpp
expect 'includes that point down pass' '' installer/check layering

printf '// text\n#  include <itkImage.h>\n' > core/image/a.cpp
expect 'core must not use ITK' 'core/image/a.cpp:2: includes itkImage.h: core/ must not use ITK' installer/check layering
printf '#include "io/load.h"\n' > core/image/a.cpp
expect 'core must not include io' 'core/image/a.cpp:1: includes io/load.h: core/ may include only core' installer/check layering
rm core/image/a.cpp
printf '#include <QApplication>\n' > app/cli/b.cpp
expect 'the command line needs no Qt' 'app/cli/b.cpp:1: includes QApplication: app/cli/ must not use Qt' installer/check layering
rm app/cli/b.cpp
printf '#include <QtWidgets/QWidget>\n' > app/desktop/model/c.h
expect 'presenters know no widgets' 'app/desktop/model/ must not use QtWidgets' installer/check layering
printf '#include <QObject>\n' > app/desktop/model/c.h
expect 'presenters may be QObjects' '' installer/check layering

expect 'a small tree passes' '' installer/check tree
yes '// line' | head -n 300 > core/image/long.h || true
expect 'a long header' 'core/image/long.h:300: headers stay below 300 lines' installer/check tree
rm core/image/long.h
echo zlib1g-dev >> installer/packages-debian.txt
expect 'a package without a reason' 'zlib1g-dev is not in the dependency table' installer/check tree

echo 'image: resample onto any grid' > message
expect 'a good message' '' installer/check message message
echo 'Fixed stuff' > message
expect 'a message without an area' 'is not of the form' installer/check message message
exit $failed
