#!/usr/bin/env bash
# From data to networks and figures: make.sh LYNCEUS DATA OUT
# A step whose output is there already is not repeated, so a run that was stopped goes on. All GPUs are used; FOLDS, STEPS,
# CLASSIFIER_STEPS and PHANTOMS in the environment change what is trained. The figures need no GPU.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")") lynceus=$(readlink -f "$1") data=$2 out=$3
folds=(${FOLDS:-0 1 2 3 4 all})
mkdir -p "$out"
[[ -e $out/real.npz ]] || python3 "$here/prepare.py" --lynceus "$lynceus" --data "$data" --out "$out/real.npz"
[[ $(find "$out/phantoms" -name '*.npz' 2> /dev/null | wc -l) -ge ${PHANTOMS:-150} ]] ||
  "$here/phantoms.sh" "$lynceus" "$out/phantoms" 1001 $((1000 + ${PHANTOMS:-150}))
gpus=$(python3 -c 'import torch; print(max(1, torch.cuda.device_count()))')
pids=()
for ((g = 0; g < gpus; ++g)); do
  mine=()
  for ((f = g; f < ${#folds[@]}; f += gpus)); do
    [[ -e $out/networks/nodule_classifier_${folds[f]}.onnx ]] || mine+=("${folds[f]}")
  done
  ((${#mine[@]})) || continue
  CUDA_VISIBLE_DEVICES=$g python3 "$here/train.py" --real "$out/real.npz" --phantoms "$out/phantoms" --fold "${mine[@]}" \
    --steps "${STEPS:-8000}" --classifier-steps "${CLASSIFIER_STEPS:-1500}" --out "$out/networks" > "$out/train_$g.log" 2>&1 &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
[[ ${FIGURES:-yes} != no ]] || exit 0
python3 "$here/figures.py" --lynceus "$lynceus" --data "$data" --models "$out/networks" --out "$out/figures" | tee "$out/figures.txt"
threshold=$(sed -n 's/^threshold = //p' "$here/../model.toml")
python3 "$here/pictures.py" --real "$out/real.npz" --figures "$out/figures" --threshold "$threshold" --page "$out/figures/page.jpg"
"$here/phantom_figures.sh" "$lynceus" "$here/.." "$out/phantom_figures" --precision bf16  # of the package as it lies here
