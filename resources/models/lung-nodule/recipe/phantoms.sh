#!/usr/bin/env bash
# Makes the phantoms that train.py reads, DIR/SEED.npz: phantoms.sh LYNCEUS DIR FIRST LAST [JOBS]
# Slice distances as they come from scanners; everything else is drawn by the seed. The network sees 1 mm: 0.8 will do.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")") lynceus=$1 dir=$2
one() {
  local distances=(0.8 1 1 1.25 1.5 2 2.5 3 5)
  "$lynceus" phantom -o "$dir/tmp-$1" --seed "$1" --slice-mm "${distances[$(($1 % 9))]}" --spacing 0.8 --format mha > /dev/null
  python3 "$here/prepare.py" --phantom "$dir/tmp-$1" --out "$dir/tmp-$1/$1.npz"
  mv "$dir/tmp-$1/$1.npz" "$dir/$1.npz"  # appears only when complete
  rm -r "$dir/tmp-$1"
}
export -f one
export here lynceus dir OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
mkdir -p "$dir"
seq "$3" "$4" | xargs -P "${5:-$(nproc)}" -I{} bash -c 'set -e; one {}'
