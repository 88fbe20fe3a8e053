/* A network in C, with the standard library alone.
 *
 *     cc -O2 -o c_program c_program.c -lm
 *     samestep export xor-mlp d && ./c_program d && samestep check d
 *
 * Sigmoid units in one hidden layer, one sigmoid at the end, full batches. It reads the .csv files
 * of the folder and writes .csv files: %.17g writes all digits of a double.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MOST 100000

static const char *folder;

/* Read all numbers of a file, and return how many there are. */
static int read_numbers(const char *name, double *values) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.csv", folder, name);
    FILE *file = fopen(path, "r");
    if (!file) {
        perror(path);
        exit(1);
    }
    int count = 0;
    while (count < MOST && fscanf(file, "%lf%*[,\n]", &values[count]) == 1) count++;
    fclose(file);
    return count;
}

/* Write numbers, `columns` on each line. */
static void write_numbers(const char *name, const double *values, int count, int columns) {
    char path[4096];
    snprintf(path, sizeof path, "%s/answer/%s.csv", folder, name);
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        exit(1);
    }
    for (int i = 0; i < count; i++)
        fprintf(file, "%.17g%c", values[i], (i + 1) % columns ? ',' : '\n');
    fclose(file);
}

static double sigmoid(double z) { return 1 / (1 + exp(-z)); }

static double W1[MOST], b1[MOST], W2[MOST], b2[MOST];
static int inputs, hidden;

/* The logit of a row; `a` is the output of the hidden layer. */
static double forward(const double *x, double *a) {
    double z = b2[0];
    for (int j = 0; j < hidden; j++) {
        double sum = b1[j];
        for (int i = 0; i < inputs; i++) sum += x[i] * W1[i * hidden + j];
        a[j] = sigmoid(sum);
        z += a[j] * W2[j];
    }
    return z;
}

/* One step of gradient descent on the mean loss of all rows; returns the loss before it. */
static double train(const double *X, const double *y, int rows, double rate) {
    static double dW1[MOST], db1[MOST], dW2[MOST], a[MOST];
    double db2 = 0, loss = 0;
    for (int k = 0; k < inputs * hidden; k++) dW1[k] = 0;
    for (int j = 0; j < hidden; j++) db1[j] = dW2[j] = 0;
    for (int row = 0; row < rows; row++) {
        const double *x = X + row * inputs;
        double z = forward(x, a);
        loss += (log1p(exp(-fabs(z))) + fmax(z, 0) - y[row] * z) / rows;
        double delta = (sigmoid(z) - y[row]) / rows;
        db2 += delta;
        for (int j = 0; j < hidden; j++) {
            dW2[j] += a[j] * delta;
            double below = delta * W2[j] * a[j] * (1 - a[j]);
            db1[j] += below;
            for (int i = 0; i < inputs; i++) dW1[i * hidden + j] += x[i] * below;
        }
    }
    for (int k = 0; k < inputs * hidden; k++) W1[k] -= rate * dW1[k];
    for (int j = 0; j < hidden; j++) {
        b1[j] -= rate * db1[j];
        W2[j] -= rate * dW2[j];
    }
    b2[0] -= rate * db2;
    return loss;
}

static void write_parameters(int step) {
    const char *names[] = {"weights_1", "biases_1", "weights_2", "biases_2"};
    const double *values[] = {W1, b1, W2, b2};
    int counts[] = {inputs * hidden, hidden, hidden, 1}, columns[] = {hidden, 1, 1, 1};
    char path[4096];
    snprintf(path, sizeof path, "%s/answer/parameters_after_step_%d", folder, step);
    mkdir(path, 0777);
    for (int k = 0; k < 4; k++) {
        snprintf(path, sizeof path, "parameters_after_step_%d/%s", step, names[k]);
        write_numbers(path, values[k], counts[k], columns[k]);
    }
}

int main(int count, char **arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", arguments[0]);
        return 2;
    }
    folder = arguments[1];
    static double X[MOST], y[MOST], rates[MOST], to_predict[MOST], a[MOST], out[MOST];
    hidden = read_numbers("start/biases_1", b1);
    inputs = read_numbers("start/weights_1", W1) / hidden;
    read_numbers("start/weights_2", W2);
    read_numbers("start/biases_2", b2);
    int rows = read_numbers("inputs", X) / inputs;
    read_numbers("targets", y);
    int steps = read_numbers("learning_rates", rates);
    int predicted = read_numbers("inputs_to_predict", to_predict) / inputs;

    for (int row = 0; row < predicted; row++) out[row] = forward(to_predict + row * inputs, a);
    write_numbers("outputs_before", out, predicted, 1);
    for (int step = 1; step <= steps; step++) {
        out[step - 1] = train(X, y, rows, rates[step - 1]);
        if (step <= 2 || step == steps) write_parameters(step);
    }
    write_numbers("losses", out, steps, 1);
    return 0;
}
