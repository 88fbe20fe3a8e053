"""The same work written down plainly, once per framework, with nothing general about it.

Each module has `make(parameters, inputs, targets, hidden, adam)`, which returns `train(rows)`:
one step per row of `rows` (steps, batch), softmax cross-entropy, SGD with rate 0.1 or Adam with
rate 1e-4; it returns the losses (steps,) when the last update is done.
"""
