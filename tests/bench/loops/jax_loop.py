"""Plain JAX: one scan over the rows, jitted."""

import jax
import jax.numpy as jnp


def make(parameters, inputs, targets, hidden, adam):
    activation = jax.nn.relu if hidden == "relu" else jax.nn.sigmoid
    labels = targets.dtype.kind == "i"
    inputs, targets = jnp.asarray(inputs), jnp.asarray(targets)

    def loss_of(p, x, y):
        for w, b in p[:-1]:
            x = activation(x @ w + b)
        w, b = p[-1]
        z = x @ w + b
        if labels:
            return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()
        return (jnp.logaddexp(z, 0) - y * z).mean()

    def step(carried, picked):
        p, m, v, t = carried
        x, y = (inputs, targets) if picked is None else (inputs[picked], targets[picked])
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        t += 1
        if adam:
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            rate = 1e-4 / (1 - 0.9**t)
            p = jax.tree.map(
                lambda p, m, v: p - rate * m / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8), p, m, v
            )
        else:
            p = jax.tree.map(lambda p, g: p - 0.1 * g, p, g)
        return (p, m, v, t), loss

    @jax.jit(static_argnums=2, donate_argnums=0)
    def scan(carried, rows, steps):
        return jax.lax.scan(step, carried, rows, length=steps)

    m, v = (jax.tree.map(jnp.zeros_like, parameters) if adam else None for _ in range(2))
    carried = (jax.tree.map(jnp.asarray, parameters), m, v, jnp.float32(0))

    def train(rows, steps):
        nonlocal carried
        carried, losses = scan(carried, rows, steps)
        return jax.block_until_ready((losses, carried))[0]

    return train
