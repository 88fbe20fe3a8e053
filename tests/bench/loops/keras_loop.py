"""Plain TensorFlow under a Keras model: one compiled while-loop over the rows.

`make_fit` is Keras's own way to less overhead: `fit`, which calls a program of many steps.
"""

import keras
import numpy as np
import tensorflow as tf

STEPS_PER_EXECUTION = 100


def network(parameters, hidden):
    model = keras.Sequential([keras.Input((parameters[0][0].shape[0],))])
    for i, (w, b) in enumerate(parameters):
        last = i == len(parameters) - 1
        model.add(keras.layers.Dense(w.shape[1], activation=None if last else hidden))
        model.layers[-1].set_weights([w, b])
    return model


def make(parameters, inputs, targets, hidden, adam):
    model = network(parameters, hidden)
    variables = [v.value for v in model.trainable_variables]
    moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables]
    t = tf.Variable(0.0)
    labels = targets.dtype.kind == "i"
    inputs, targets = tf.constant(inputs), tf.constant(targets)

    def loss_of(y, z):
        if labels:
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, z))
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, z))

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x))
        gradients = tape.gradient(loss, variables)
        t.assign_add(1.0)
        for w, g, (m, v) in zip(variables, gradients, moments, strict=True):
            if adam:
                m.assign(0.9 * m + 0.1 * g)
                v.assign(0.999 * v + 0.001 * g * g)
                rate = 1e-4 / (1 - 0.9**t)
                w.assign_sub(rate * m / (tf.sqrt(v / (1 - 0.999**t)) + 1e-8))
            else:
                w.assign_sub(0.1 * g)
        return loss

    @tf.function(jit_compile=True, autograph=False)
    def compiled(rows, steps):
        def body(i, losses):
            x, y = inputs, targets
            if rows is not None:
                x, y = tf.gather(inputs, rows[i]), tf.gather(targets, rows[i])
            return i + 1, tf.tensor_scatter_nd_update(losses, [[i]], [step(x, y)])

        start = (tf.constant(0), tf.zeros(steps))
        return tf.while_loop(lambda i, _: i < steps, body, start)[1]

    def train(rows, steps):
        losses = compiled(None if rows is None else tf.constant(rows), steps).numpy()
        t.numpy()  # waits for the last update
        return losses

    return train


def make_fit(parameters, inputs, targets, hidden, adam):
    """Return `prepare(rows, steps)`: it lays the rows out and returns what trains on them."""
    model = network(parameters, hidden)
    if targets.dtype.kind == "i":
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4) if adam else keras.optimizers.SGD(0.1),
        loss=loss,
        steps_per_execution=STEPS_PER_EXECUTION,
    )

    def prepare(rows, steps):
        batch_size = len(inputs) if rows is None else rows.shape[1]
        order = np.tile(np.arange(len(inputs)), steps) if rows is None else rows.ravel()
        x, y = tf.constant(inputs[order]), tf.constant(targets[order])

        def train():
            model.fit(x, y, batch_size=batch_size, shuffle=False, verbose=0)
            return [w.numpy() for w in model.trainable_variables]

        return train

    return prepare


ALSO = {f"fit, {STEPS_PER_EXECUTION} steps per execution": make_fit}
