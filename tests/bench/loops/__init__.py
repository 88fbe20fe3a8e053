"""The same work written down plainly, once per framework, with nothing general about it.

Each module has `make(parameters, inputs, targets, hidden, adam)`, which returns
`train(rows, steps)`: `steps` steps, each on its row of `rows` (steps, batch), or on all data
where `rows` is None; it returns the losses (steps,) when the last update is done. Integer targets
mean softmax cross-entropy, others binary cross-entropy on logits, both averaged. The update is
SGD with rate 0.1, or Adam (algorithm 1) with rate 1e-4 and the usual betas.

A module may have more ways in `ALSO`, by name: functions like `make`, which return
`prepare(rows, steps)`. That lays the rows out, untimed, and returns what trains on them.

They are the yardstick of the adapters, so they are what somebody who knows the framework would
write for exactly this network, and no more.
"""
