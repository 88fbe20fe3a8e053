"""`--tensorboard DIR`: what a run stored, as files that TensorBoard reads. Nothing is trained.

One TensorBoard run per trial that ended well, `DIR/<experiment>/<framework>-<loop>-s<seed>`
(`-r<repeat>` for later repeats). Each run holds, by step:

- scalars `loss/train`, `accuracy/test` and so on at evaluation points, `accuracy/watched` (what
  early stopping watched), `loss/batch` (every step's own loss, before its update), and at the
  last step `time/train_s`, `time/first_step_s` and `time/step_us`;
- histograms `weights/layer_1`, `biases/layer_1` and `outputs/layer_1` (after the activation, on
  the first training rows, from the stored parameters by the oracle's functions);
- the graph of the dense layers, and the hyper-parameters with the final scores.

An event's wall time is the trial's start plus the training time so far, so the axis "relative" is
seconds of training without the first step. TensorBoard rounds numbers to float32; the run's folder
has them in full.
"""

from harness.report.tensorboard.writing import Written, run_names, write

__all__ = ["Written", "run_names", "write"]
