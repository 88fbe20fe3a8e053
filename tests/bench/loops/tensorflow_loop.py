"""Plain TensorFlow: one compiled while-loop over the rows."""

import tensorflow as tf


def make(parameters, inputs, targets, hidden, adam):
    layers = [(tf.Variable(w), tf.Variable(b)) for w, b in parameters]
    variables = [v for layer in layers for v in layer]
    moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables]
    t = tf.Variable(0.0)
    activation = tf.nn.relu if hidden == "relu" else tf.sigmoid
    labels = targets.dtype.kind == "i"
    inputs, targets = tf.constant(inputs), tf.constant(targets)

    def loss_of(x, y):
        for w, b in layers[:-1]:
            x = activation(tf.matmul(x, w) + b)
        w, b = layers[-1]
        z = tf.matmul(x, w) + b
        if labels:
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, z))
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, z))

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(x, y)
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
