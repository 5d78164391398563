#!/usr/bin/env bash
# The figures of the model card on phantoms: phantom_figures.sh LYNCEUS MODEL OUT [detect options]
# 60 patients whose seeds were never trained on, with lesions of the generator that made none of the training's.
set -euo pipefail
lynceus=$1 model=$2 out=$3
one() {
  local distances=(0.6 0.8 1 1.25 1.5 2 2.5 3 4 5)
  [[ -e $out/phantoms/$1/truth.json ]] ||
    "$lynceus" phantom -o "$out/phantoms/$1" --force --seed "$1" --lesions grown --slice-mm "${distances[$(($1 % 10))]}" --format mha > /dev/null
}
export -f one
export lynceus out OMP_NUM_THREADS=1
mkdir -p "$out/phantoms"
seq 2001 2060 | xargs -P "$(nproc)" -I{} bash -c 'set -e; one {}'
unset OMP_NUM_THREADS
"$lynceus" batch "$out/phantoms" -o "$out/results" --model "$model" --threshold 0 "${@:4}" > "$out/batch.txt"
"$lynceus" evaluate --truth "$out/phantoms" --results "$out/results" --json "$out/phantoms.json" --plot "$out/phantoms.svg" \
  --title "60 phantoms, lesions of the other generator" | tee "$out/phantoms.txt"
