#!/usr/bin/env bash
# Makes the phantoms that train.py reads: phantoms.sh LYNCEUS DIR FIRST LAST [JOBS]
# Slice distances as they come from scanners; everything else is drawn by the seed.
set -euo pipefail
lynceus=$1 dir=$2
one() {
  local distances=(0.8 1 1 1.25 1.5 2 2.5 3 5)
  "$lynceus" phantom -o "$dir/.$1" --seed "$1" --slice-mm "${distances[$(($1 % 9))]}" --format mha > /dev/null
  mv "$dir/.$1" "$dir/$1"  # appears only when complete
}
export -f one
export lynceus dir OMP_NUM_THREADS=1
mkdir -p "$dir"
seq "$3" "$4" | xargs -P "${5:-$(nproc)}" -I{} bash -c 'one {}'
