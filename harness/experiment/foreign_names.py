"""What a name of another library is called in a protocol: a row for each meaning.

Rows that only say what is missing name what comes nearest and why it is another thing. The
numbers in a row are the library's defaults. `translating` finds the rows of a name.
"""

from dataclasses import dataclass

LIBRARIES = {
    "keras": "Keras",
    "torch": "PyTorch",
    "sklearn": "scikit-learn",
    "jax": "JAX",
    "tf1": "TensorFlow 1",
    "words": "",
}
"""Columns of the table, and what they are called in sentences.

`jax` has Flax and Optax too; `words` are of books and posts, and of no library.
"""
MODULES = {
    "keras": "keras",
    "torch": "torch nn optim F init torchvision",
    "sklearn": "sklearn",
    "jax": "jax jnp flax nnx linen optax",
    "tf1": "tf tensorflow contrib",
}
"""Parts of a dotted name by which a library is recognised: Keras wherever it stands (`tf.keras`),
otherwise the first."""


@dataclass(frozen=True)
class Row:
    """One meaning, and the names that libraries have for it, separated by spaces.

    Args:
        write: TOML of the same meaning; of the nearest meaning where `missing`; or empty.
        why: what else must be known. Where `missing`, the difference.
        missing: whether no protocol can say it.
        where: the table that `write` stands in, if that is another than the name's own.
        of: the name of the rule in whose table a field has this meaning; empty for any.
        keras, torch, sklearn, jax, tf1, words: the names, as the library spells them.
    """

    write: str
    why: str = ""
    missing: bool = False
    where: str = ""
    of: str = ""
    keras: str = ""
    torch: str = ""
    sklearn: str = ""
    jax: str = ""
    tf1: str = ""
    words: str = ""

    def names(self, library: str) -> tuple[str, ...]:
        """The names of one column."""
        return tuple(getattr(self, library).split())


def _no(write: str, why: str, **names: str) -> Row:
    return Row(write, why, missing=True, **names)


IN_THE_LOSS = "the loss contains it, so the last layer has none; hidden layers cannot have it"
LOGITS = "it takes logits: the last layer is 'identity', without softmax or sigmoid"

ACTIVATIONS = (
    Row('activation = "identity"', keras="linear", torch="Identity", jax="identity",
        words="none None no linear_activation"),
    Row('activation = "sigmoid"', keras="sigmoid", torch="Sigmoid", sklearn="logistic",
        jax="sigmoid", tf1="sigmoid", words="logistic_sigmoid sigm expit"),
    Row('activation = "tanh"', keras="tanh", torch="Tanh", sklearn="tanh", jax="tanh",
        tf1="tanh", words="hyperbolic_tangent"),
    Row('activation = "relu"', keras="relu", torch="ReLU", sklearn="relu", jax="relu", tf1="relu",
        words="rectifier rectified_linear"),
    Row('activation = "leaky_relu", slope = 0.2', keras="leaky_relu", tf1="leaky_relu",
        words="lrelu"),
    Row('activation = "leaky_relu", slope = 0.3', keras="LeakyReLU"),
    Row('activation = "leaky_relu", slope = 0.01', torch="LeakyReLU", jax="leaky_relu"),
    Row('activation = "elu"', keras="elu", torch="ELU", jax="elu", tf1="elu"),
    Row('activation = "selu"', keras="selu", torch="SELU", jax="selu", tf1="selu"),
    Row('activation = "softsign"', keras="softsign", torch="Softsign", jax="soft_sign",
        tf1="softsign"),
    Row('activation = "log_sigmoid"', keras="log_sigmoid", torch="LogSigmoid", jax="log_sigmoid",
        tf1="log_sigmoid"),
    Row('activation = "mish"', keras="mish", torch="Mish", jax="mish"),
    Row('activation = "relu6"', keras="relu6", torch="ReLU6", jax="relu6", tf1="relu6"),
    Row('activation = "hard_tanh"', keras="hard_tanh", torch="Hardtanh", jax="hard_tanh"),
    Row('activation = "hard_sigmoid"', "Keras up to version 2 has \"hard_sigmoid_fifth\"",
        keras="hard_sigmoid", torch="Hardsigmoid", jax="hard_sigmoid"),
    Row('activation = "hard_sigmoid_fifth"', "0.2 z + 0.5 between 0 and 1",
        words="theano_hard_sigmoid keras2_hard_sigmoid keras_2_hard_sigmoid"),
    Row('activation = "hard_swish"', keras="hard_silu hard_swish", torch="Hardswish",
        jax="hard_silu hard_swish"),
    Row('activation = "swish"', keras="silu swish", torch="SiLU", jax="silu swish", tf1="swish"),
    Row('activation = "softplus"', keras="softplus", torch="Softplus", jax="softplus",
        tf1="softplus"),
    Row('activation = "gelu"', keras="gelu", torch="GELU"),
    Row('activation = "gelu_tanh"', "approximate=True is JAX's default", jax="gelu",
        words="gelu_new gelu_approximate approximate_gelu"),
    Row('activation = "identity"', IN_THE_LOSS, keras="softmax log_softmax Softmax",
        torch="Softmax LogSoftmax Softmax2d Softmin", sklearn="softmax",
        jax="softmax log_softmax", tf1="softmax log_softmax", words="softmax_output"),
    _no('activation = "elu"', "the same where its alpha is 1, its default", keras="celu",
        torch="CELU", jax="celu"),
    _no('activation = "leaky_relu", slope = 0.25', "its slope is learned, here it is fixed",
        keras="PReLU", torch="PReLU", jax="PReLU prelu"),
    _no('activation = "leaky_relu", slope = 0.25', "its slope is drawn, here it is fixed",
        torch="RReLU"),
    _no('activation = "softplus"', "the other is another smooth ReLU",
        keras="squareplus sparse_plus", jax="squareplus sparse_plus"),
    _no('activation = "sigmoid"', "the other is made of three straight lines",
        keras="sparse_sigmoid", jax="sparse_sigmoid"),
    _no('activation = "relu"', "these shrink towards 0 or cut there",
        keras="hard_shrink soft_shrink tanh_shrink threshold",
        torch="Hardshrink Softshrink Tanhshrink Threshold"),
    _no("", "it is not a function of one number; only dense layers with one are offered",
        keras="glu sparsemax maxout", torch="GLU MultiheadAttention",
        jax="glu dot_product_attention standardize one_hot logsumexp logmeanexp log1mexp "
        "scaled_dot_general scaled_matmul get_scaled_dot_general_config", words="maxout"),
    _no('activation = "softplus"', "exp has no bound above", keras="exponential"),
    Row('activation = "step"', "only in a network that does not train",
        words="heaviside threshold_function perceptron_step hard_limit"),
    _no('activation = "tanh"', "sine and Gaussian units are not offered",
        words="sin sine gaussian rbf"),
)  # fmt: skip

MEAN = 'batch = "mean"'
BOTH = 'batch = "mean", outputs = "mean"'
SQUARE = 'name = "mean_squared_error", half = false, batch = "mean", outputs = "mean"'
ABSOLUTE = 'name = "mean_absolute_error", batch = "mean", outputs = "mean"'
HUBER = 'name = "huber", delta = 1.0, over_delta = false, batch = "mean", outputs = "mean"'
LOG_COSH = 'name = "log_cosh", batch = "mean", outputs = "mean"'
HINGE = 'name = "hinge", batch = "mean", outputs = "mean"'
SIGNS = "its targets are -1 and 1: target_values = [-1, 1] in [data]"
BINARY = 'name = "binary_cross_entropy", batch = "mean", outputs = "mean"'
SMOOTHING = 'label_smoothing = { amount = 0.1, shared_by = "all_classes" }'
SOFTMAX = 'name = "softmax_cross_entropy", batch = "mean"'

LOSSES = (
    Row(SOFTMAX, LOGITS, keras="categorical_crossentropy sparse_categorical_crossentropy "
        "CategoricalCrossentropy SparseCategoricalCrossentropy", torch="CrossEntropyLoss "
        "cross_entropy", sklearn="log_loss multinomial", jax="softmax_cross_entropy "
        "softmax_cross_entropy_with_integer_labels safe_softmax_cross_entropy",
        tf1="softmax_cross_entropy_with_logits softmax_cross_entropy_with_logits_v2 "
        "sparse_softmax_cross_entropy_with_logits sparse_softmax_cross_entropy",
        words="categorical_cross_entropy cross_entropy_error multinomial_cross_entropy softmax "
        "cross-entropy crossentropy nll"),
    Row(SOFTMAX, "leave the LogSoftmax before it out: the loss contains it",
        torch="NLLLoss NLLLoss2d nll_loss", words="negative_log_likelihood"),
    Row(BINARY, LOGITS, keras="binary_crossentropy BinaryCrossentropy bce",
        torch="BCELoss BCEWithLogitsLoss binary_cross_entropy_with_logits "
        "MultiLabelSoftMarginLoss", jax="sigmoid_binary_cross_entropy",
        tf1="sigmoid_cross_entropy_with_logits log_loss sigmoid_cross_entropy",
        words="logloss logistic_loss binary_crossentropy_with_logits cross_entropy_binary"),
    Row(SOFTMAX, "its linear layer is the last layer of the network",
        torch="LinearCrossEntropyLoss"),
    Row(SQUARE, keras="mse MSE MeanSquaredError mean_squared_error", torch="MSELoss mse_loss",
        sklearn="squared_error", jax="squared_error", tf1="mean_squared_error squared_difference",
        words="l2 quadratic quadratic_cost squared_loss least_squares sse rss euclidean"),
    Row('name = "mean_squared_error", half = true, batch = "mean", outputs = "mean"',
        "halved, as the name says in this library", jax="l2_loss"),
    Row('name = "mean_squared_error", half = true, batch = "sum", outputs = "sum"',
        "halved and summed, as the name says in this library", tf1="l2_loss"),
    Row(ABSOLUTE, keras="mae MAE MeanAbsoluteError mean_absolute_error", torch="L1Loss l1_loss",
        sklearn="absolute_error", tf1="absolute_difference", words="l1 lad"),
    Row(HUBER, keras="Huber huber", torch="HuberLoss", jax="huber_loss", tf1="huber_loss"),
    Row(HUBER.replace("1.0", "0.1"), sklearn="huber"),
    Row(HUBER.replace("false", "true"), "Huber's divided by its delta, which is called beta",
        torch="SmoothL1Loss smooth_l1_loss"),
    Row(LOG_COSH, keras="LogCosh logcosh log_cosh", jax="log_cosh"),
    Row(HINGE, SIGNS, keras="Hinge hinge", sklearn="hinge", jax="hinge_loss", tf1="hinge_loss"),
    Row(HINGE.replace("hinge", "squared_hinge"), SIGNS,
        keras="SquaredHinge squared_hinge", sklearn="squared_hinge"),
    _no(ABSOLUTE, "the other ignores small errors", sklearn="epsilon_insensitive "
        "squared_epsilon_insensitive"),
    _no(SQUARE, "the other is its root", words="rmse"),
    _no(SQUARE, "the other compares targets on another scale", keras="mape MAPE "
        "MeanAbsolutePercentageError mean_absolute_percentage_error msle MSLE "
        "MeanSquaredLogarithmicError mean_squared_logarithmic_error"),
    _no(SQUARE, "the other is the likelihood of another distribution",
        keras="Poisson poisson", torch="PoissonNLLLoss GaussianNLLLoss", sklearn="poisson"),
    Row(BINARY, "the same with targets 0 and 1 in place of -1 and 1", torch="SoftMarginLoss "
        "soft_margin_loss"),
    _no(HINGE, "the other bends the hinge or moves it; " + SIGNS, torch="HingeEmbeddingLoss",
        sklearn="modified_huber perceptron", jax="perceptron_loss"),
    _no(HINGE, "the other compares the classes of a row with each other; " + SIGNS,
        keras="CategoricalHinge categorical_hinge", torch="MultiMarginLoss "
        "MultiLabelMarginLoss", jax="multiclass_hinge_loss multiclass_perceptron_loss "
        "multiclass_sparsemax_loss sparsemax_loss make_fenchel_young_loss"),
    _no(SOFTMAX, "with labels both have the same gradients; targets that are shares of classes "
        "are not offered", keras="kld KLD KLDivergence kl_divergence", torch="KLDivLoss",
        jax="kl_divergence kl_divergence_with_log_targets convex_kl_divergence "
        "generalized_kl_divergence"),
    Row(f"{SOFTMAX}, {SMOOTHING}", jax="smooth_labels", words="label_smoothing"),
    Row(f"{BINARY}, class_weights = {{ values = [1.0, 2.0], mean_over = \"rows\" }}",
        "its pos_weight is the second weight", tf1="weighted_cross_entropy_with_logits"),
    _no(SOFTMAX, "the other weighs the rows by their probabilities",
        keras="CategoricalFocalCrossentropy categorical_focal_crossentropy "
        "CategoricalGeneralizedCrossEntropy categorical_generalized_cross_entropy",
        jax="poly_loss_cross_entropy", words="focal focal_loss"),
    _no(BINARY, "the other weighs the rows by their probabilities, or compares areas",
        keras="BinaryFocalCrossentropy binary_focal_crossentropy Dice dice Tversky tversky",
        jax="sigmoid_focal_loss dice_loss binary_dice_loss multiclass_generalized_dice_loss"),
    _no("", "the other compares rows with each other or sequences, not a row with its target",
        keras="CosineSimilarity cosine_similarity Circle circle CTC ctc",
        torch="CosineEmbeddingLoss MarginRankingLoss TripletMarginLoss "
        "TripletMarginWithDistanceLoss CTCLoss", jax="cosine_distance cosine_similarity ctc_loss "
        "ctc_loss_with_forward_probs ntxent ranking_softmax_loss triplet_margin_loss"),
)  # fmt: skip

ADAM = 'name = "adam", learning_rate = 0.001, beta1 = 0.9, beta2 = 0.999, '
RMSPROP = 'name = "rmsprop", '
ADAGRAD = 'name = "adagrad", '
ALGORITHM_1 = ADAM + 'epsilon = 1e-8, form = "algorithm_1"'
NESTEROV = 'name = "nesterov", learning_rate = 0.01, momentum = 0.9'
MOMENTUM = 'name = "momentum", learning_rate = 0.01, momentum = 0.9'
SGD = 'name = "sgd", learning_rate = 0.01'
ADAMW = ADAM.replace("adam", "adamw")
AMSGRAD = ADAM.replace("adam", "amsgrad")
DECAYS_ALL = 'decay_times_rate = true, decay_on = "all"'
DECOUPLED = "decoupled decay is offered with Adam alone"
NADAM = 'name = "nadam", beta1 = 0.9, beta2 = 0.999, '
ADAMAX = 'name = "adamax", beta1 = 0.9, beta2 = 0.999, '
ADADELTA = 'name = "adadelta", '
STEP_DECAY = 'name = "step_decay", '

OPTIMIZERS = (
    Row(SGD, keras="SGD", words="gradient_descent gd vanilla batch_gd "
        "stochastic_gradient_descent minibatch_sgd backprop delta_rule"),
    Row('name = "sgd", learning_rate = 0.001', torch="SGD"),
    Row('name = "sgd", learning_rate = 0.1', jax="sgd", tf1="GradientDescentOptimizer"),
    Row('name = "nesterov", learning_rate = 0.001, momentum = 0.9, rate_inside_velocity = true',
        "its defaults have Nesterov's momentum", sklearn="sgd"),
    Row(MOMENTUM, tf1="MomentumOptimizer",
        words="sgd_momentum momentum_sgd sgd_with_momentum heavy_ball polyak sgdm msgd"),
    Row(NESTEROV, words="nag nesterov_accelerated_gradient nesterov_momentum sgd_nesterov "
        "sgd_with_nesterov"),
    Row(ADAM + 'epsilon = 1e-7, form = "epsilon_hat"', keras="Adam"),
    Row(ALGORITHM_1, torch="Adam", jax="adam"),
    Row(ADAM + 'epsilon = 1e-8, form = "epsilon_hat"', sklearn="adam", tf1="AdamOptimizer"),
    Row(RMSPROP + 'learning_rate = 0.001, rho = 0.9, epsilon = 1e-7, form = '
        '"epsilon_inside_root"', keras="RMSprop"),
    Row(RMSPROP + 'learning_rate = 0.01, rho = 0.99, epsilon = 1e-8, form = '
        '"epsilon_outside_root"', torch="RMSprop"),
    Row(RMSPROP + 'learning_rate = 0.001, rho = 0.9, epsilon = 1e-8, form = '
        '"epsilon_inside_root"', jax="rmsprop"),
    _no(RMSPROP + 'learning_rate = 0.001, rho = 0.9, epsilon = 1e-10, form = '
        '"epsilon_inside_root"', "its average of squares starts at 1, here at 0",
        tf1="RMSPropOptimizer"),
    Row(ADAGRAD + 'learning_rate = 0.001, initial_accumulator = 0.1, epsilon = 1e-7, form = '
        '"epsilon_inside_root"', keras="Adagrad"),
    Row(ADAGRAD + 'learning_rate = 0.01, initial_accumulator = 0.0, epsilon = 1e-10, form = '
        '"epsilon_outside_root"', torch="Adagrad"),
    Row(ADAGRAD + 'learning_rate = 0.01, initial_accumulator = 0.1, epsilon = 1e-7, form = '
        '"epsilon_inside_root"', jax="adagrad"),
    _no(ADAGRAD + 'learning_rate = 0.01, initial_accumulator = 0.1, epsilon = 1e-30, form = '
        '"epsilon_inside_root"', "it has no epsilon; so small a one changes nothing",
        tf1="AdagradOptimizer AdagradDAOptimizer ProximalAdagradOptimizer"),
    Row(ADAMW + 'epsilon = 1e-7, form = "epsilon_hat", weight_decay = 0.004, ' + DECAYS_ALL,
        keras="AdamW"),
    Row(ADAMW + 'epsilon = 1e-8, form = "algorithm_1", weight_decay = 0.01, ' + DECAYS_ALL,
        torch="AdamW", words="adam_w decoupled_adam"),
    Row(ADAMW + 'epsilon = 1e-8, form = "algorithm_1", weight_decay = 0.0001, ' + DECAYS_ALL,
        jax="adamw"),
    Row(ADAMW + 'epsilon = 1e-8, form = "epsilon_hat", weight_decay = 0.01, decay_times_rate = '
        'false, decay_on = "all"', "it states no default of its decay", tf1="AdamWOptimizer"),
    _no(ADAMW + 'epsilon = 1e-8, form = "algorithm_1", weight_decay = 0.0001, ' + DECAYS_ALL,
        DECOUPLED, keras="ScheduleFreeAdamW", jax="adamaxw nadamw schedule_free_adamw "
        "dadapt_adamw"),
    Row(NADAM + 'learning_rate = 0.001, epsilon = 1e-7, form = "scheduled_momentum", '
        'momentum_decay = 1.0', keras="Nadam"),
    Row(NADAM + 'learning_rate = 0.002, epsilon = 1e-8, form = "scheduled_momentum", '
        'momentum_decay = 0.004', torch="NAdam"),
    Row(NADAM + 'learning_rate = 0.001, epsilon = 1e-8, form = "constant_momentum"', jax="nadam",
        words="nesterov_adam adam_with_nesterov"),
    _no(NADAM + 'learning_rate = 0.001, epsilon = 1e-8, form = "constant_momentum"',
        "the other's Nesterov momentum is of differences of gradients, or corrected otherwise",
        jax="adan", tf1="NadamOptimizer"),
    Row(ADAMAX + 'learning_rate = 0.001, epsilon = 1e-7, form = "epsilon_outside_maximum"',
        keras="Adamax"),
    Row(ADAMAX + 'learning_rate = 0.002, epsilon = 1e-8, form = "epsilon_inside_maximum"',
        torch="Adamax"),
    Row(ADAMAX + 'learning_rate = 0.001, epsilon = 1e-8, form = "epsilon_inside_maximum"',
        jax="adamax"),
    Row(ADAMAX + 'learning_rate = 0.001, epsilon = 1e-8, form = "epsilon_outside_maximum"',
        tf1="AdaMaxOptimizer"),
    Row(AMSGRAD + 'epsilon = 1e-8, form = "algorithm_1", maximum = "after_correction"',
        jax="amsgrad"),
    Row(AMSGRAD + 'epsilon = 1e-8, form = "algorithm_1", maximum = "before_correction"',
        "PyTorch's; Keras's has form = \"epsilon_hat\"", words="ams_grad adam_amsgrad"),
    _no(ALGORITHM_1, "the other estimates or corrects the variance in another way",
        torch="RAdam SparseAdam", jax="radam adabelief yogi novograd acprop adopt ademamix "
        "simplified_ademamix optimistic_adam optimistic_adam_v2", words="rectified_adam"),
    _no(ALGORITHM_1, "the other scales or turns every layer as a whole",
        keras="Adafactor Lamb Muon", torch="Adafactor Muon", jax="adafactor lamb lars fromage "
        "muon galore", words="shampoo soap"),
    _no(ALGORITHM_1, "the other finds its learning rate by itself",
        jax="cocob dog dowg mechanize momo momo_adam prodigy polyak_sgd"),
    Row(ADADELTA + "learning_rate = 0.001, rho = 0.95, epsilon = 1e-7", keras="Adadelta"),
    Row(ADADELTA + "learning_rate = 1.0, rho = 0.9, epsilon = 1e-6", torch="Adadelta",
        jax="adadelta"),
    Row(ADADELTA + "learning_rate = 0.001, rho = 0.95, epsilon = 1e-8", tf1="AdadeltaOptimizer"),
    _no(ADAGRAD + 'learning_rate = 0.001, initial_accumulator = 0.1, epsilon = 1e-7, form = '
        '"epsilon_inside_root"', "FTRL also shrinks weights towards 0", keras="Ftrl",
        tf1="FtrlOptimizer"),
    _no(ADAGRAD + 'learning_rate = 0.01, initial_accumulator = 0.1, epsilon = 1e-7, form = '
        '"epsilon_inside_root"', "SM3 keeps sums of rows and columns alone", jax="sm3"),
    _no(MOMENTUM, "the other updates by signs alone", keras="Lion", torch="Rprop",
        jax="lion rprop sign_sgd signum"),
    _no(SGD, "the other averages the parameters, adds noise or looks ahead", torch="ASGD",
        jax="noisy_sgd dpsgd differentially_private_aggregate schedule_free schedule_free_sgd "
        "sam optimistic_gradient_descent madgrad", tf1="ProximalGradientDescentOptimizer "
        "SyncReplicasOptimizer MovingAverageOptimizer", words="swa ema lookahead"),
    _no(SGD, "it needs second derivatives or line searches; [[native]] has scikit-learn's "
        "LogisticRegression by lbfgs", torch="LBFGS", sklearn="lbfgs newton-cg newton-cholesky "
        "sag saga liblinear", jax="lbfgs sophia hutchinson_estimator_diag_hessian",
        words="newton conjugate_gradient levenberg_marquardt bfgs l-bfgs"),
    _no(ALGORITHM_1, "it wraps an optimizer; write that one", keras="LossScaleOptimizer "
        "MultiOptimizer OptimizerMap Optimizer", torch="Optimizer", jax="chain multi_transform "
        "masked reduce_on_plateau normalize split_real_and_imaginary"),
)  # fmt: skip

NORMAL, UNIFORM = 'name = "normal", ', 'name = "uniform", '
TRUNCATED = 'name = "truncated_normal", '
KERAS_TRUNCATES = "in this library it is truncated at two standard deviations"

INITIALIZERS = (
    Row("", 'write name = "file", file = "start.npz" for an archive of numpy.savez; array and '
        "layout say which of its arrays, and whether it is (units, inputs)",
        torch="load_state_dict", keras="load_weights set_weights",
        words="pretrained from_file npz numpy savez"),
    Row('name = "zeros"', keras="Zeros zeros", torch="zeros_ zeros", jax="zeros zeros_init",
        tf1="zeros_initializer zeros", words="zero"),
    Row('name = "constant", value = 1.0', keras="Ones ones", torch="ones_ ones",
        jax="ones ones_init", tf1="ones_initializer ones", words="one"),
    Row('name = "constant", value = 0.0', "state the value", keras="Constant constant",
        torch="constant_ constant", jax="constant", tf1="constant_initializer", words="const"),
    Row('name = "glorot_uniform"', keras="GlorotUniform glorot_uniform",
        torch="xavier_uniform_ xavier_uniform", jax="glorot_uniform xavier_uniform",
        tf1="xavier_initializer glorot_uniform_initializer", words="xavier glorot"),
    Row('name = "glorot_normal"', torch="xavier_normal_ xavier_normal"),
    Row('name = "glorot_truncated_normal"', KERAS_TRUNCATES, keras="GlorotNormal",
        jax="glorot_normal xavier_normal", tf1="glorot_normal_initializer"),
    Row('name = "he_normal"', torch="kaiming_normal_ kaiming_normal", words="he kaiming msra"),
    Row('name = "he_truncated_normal"', KERAS_TRUNCATES, keras="HeNormal",
        jax="he_normal kaiming_normal"),
    _no('name = "he_truncated_normal"', "contrib's has a variance of 2.6 / inputs before it is "
        "truncated, here 2.585 / inputs", tf1="variance_scaling_initializer he_init"),
    Row('name = "he_uniform"', "Linear has a = sqrt(5): name = \"inverse_root_uniform\"",
        torch="kaiming_uniform_ kaiming_uniform"),
    Row('name = "he_uniform"', keras="HeUniform", jax="he_uniform kaiming_uniform"),
    Row('name = "lecun_truncated_normal"', KERAS_TRUNCATES, keras="LecunNormal",
        jax="lecun_normal"),
    Row('name = "lecun_uniform"', keras="LecunUniform", jax="lecun_uniform"),
    Row('name = "lecun_truncated_normal"', "of its defaults scale 1, fan_in",
        keras="VarianceScaling variance_scaling", jax="variance_scaling"),
    Row('name = "inverse_root_uniform"', torch="reset_parameters",
        words="pytorch_default torch_default linear_default"),
    Row(NORMAL + "std = 0.05", keras="RandomNormal random_normal"),
    Row(NORMAL + "std = 1.0", torch="normal_ normal randn",
        tf1="random_normal random_normal_initializer",
        words="gaussian standard_normal randn gauss"),
    Row(NORMAL + "std = 0.01", jax="normal"),
    Row(UNIFORM + "low = -0.05, high = 0.05", keras="RandomUniform random_uniform"),
    Row(UNIFORM + "low = 0.0, high = 1.0", torch="uniform_ uniform rand",
        tf1="random_uniform random_uniform_initializer", words="rand random"),
    Row(UNIFORM + "low = 0.0, high = 0.01", jax="uniform"),
    Row(TRUNCATED + "std = 0.05", keras="TruncatedNormal truncated_normal"),
    Row(TRUNCATED + "std = 1.0", "its default cuts at -2 and 2, whatever std is",
        torch="trunc_normal_"),
    Row(TRUNCATED + "std = 0.01", jax="truncated_normal"),
    Row(TRUNCATED + "std = 1.0", tf1="truncated_normal_initializer truncated_normal"),
    _no('name = "glorot_normal"', "its columns are not made orthogonal", keras="Orthogonal "
        "OrthogonalInitializer orthogonal", torch="orthogonal_ orthogonal",
        jax="orthogonal delta_orthogonal", tf1="orthogonal_initializer", words="lsuv"),
    _no('name = "constants", values = [[[1.0, 0.0], [0.0, 1.0]], [[1.0], [1.0]]]',
        "there is no name for it; write the numbers", keras="Identity IdentityInitializer "
        "identity STFT STFTInitializer stft", torch="eye_ eye dirac_ dirac",
        tf1="identity_initializer"),
    _no('name = "normal", std = 0.01', "all of its weights are drawn, none is 0",
        torch="sparse_ sparse"),
)  # fmt: skip

BY_STEP = 'by = "step", first = "unchanged"'
BY_EPOCH = 'by = "epoch", first = "unchanged"'
WARM_UP = "warm_up = { steps = 100, start = 0.0, " + BY_STEP
WAITS = WARM_UP + ", schedule_waits = true }"
COSINE = 'name = "cosine_decay", end_rate = 0.0, '
RESTARTS = 'name = "cosine_restarts", end_rate = 0.0, peak_factor = 1.0, '
POLYNOMIAL = 'name = "polynomial_decay", '
PIECES = 'name = "piecewise_constant", rates = [0.01, 0.001], first = "unchanged", '
INVERSE = f'name = "inverse_time_decay", staircase = false, {BY_STEP}, '
POWER = f'name = "power_decay", power = 0.5, every_steps = 1, {BY_STEP}'
ONE_CYCLE = ('name = "one_cycle", rising = 0.3, start_divisor = 25.0, end_divisor = 1e4, '
             f"three_phases = false, {BY_STEP}, ")  # fmt: skip

PLATEAU = 'watched = "loss", factor = 0.1, min_rate = 0.0, '
EVERY = "every_epochs = 1"
SCHEDULES = (
    Row(STEP_DECAY + "factor = 0.1, every_epochs = 10", "state its step_size", torch="StepLR",
        words="step steplr decay drop staircase"),
    Row(STEP_DECAY + "factor = 0.9, every_epochs = 1", "where scheduler.step() comes after an "
        "epoch", torch="ExponentialLR"),
    Row(f'name = "exponential_decay", factor = 0.9, every_steps = 1000, {BY_STEP}',
        "staircase=True is step_decay", keras="ExponentialDecay", jax="exponential_decay",
        tf1="exponential_decay", words="exponential"),
    Row(f"{INVERSE}factor = 0.5, every_steps = 1000", keras="InverseTimeDecay",
        tf1="inverse_time_decay", words="inverse_time time_based hyperbolic"),
    Row(PIECES + "at_steps = [1001, 2001]", "a boundary is one more than theirs, 1000 and 2000; "
        "the first of their values is the learning_rate of optimizer",
        keras="PiecewiseConstantDecay", tf1="piecewise_constant"),
    Row('name = "piecewise_constant", rates = [0.01], at_epochs = [5], first = "unchanged"', "the "
        "learning_rate of optimizer is theirs times factor, and theirs is the second rate",
        torch="ConstantLR"),
    Row(PIECES + "at_epochs = [30, 80]", "its milestones; the rates are learning_rate times gamma, "
        "gamma^2, ...", torch="MultiStepLR"),
    Row(PIECES + "at_steps = [1000, 2000]", "the rates are init_value times the scales",
        jax="piecewise_constant_schedule", words="piecewise piecewise_constant_decay multistep "
        "milestones"),
    Row(f"{POLYNOMIAL}steps = 1000, end_rate = 1e-4, power = 1.0, {BY_STEP}", "cycle=False",
        keras="PolynomialDecay", tf1="polynomial_decay"),
    Row(f"{POLYNOMIAL}epochs = 5, end_rate = 0.0, power = 1.0, {BY_EPOCH}", "where "
        "scheduler.step() comes after an epoch", torch="PolynomialLR"),
    Row(f"{POLYNOMIAL}steps = 1000, end_rate = 1e-4, power = 1.0, {BY_STEP}",
        jax="polynomial_schedule linear_schedule", words="polynomial poly linear linear_decay"),
    Row('name = "constant", warm_up = { epochs = 5, start = 0.333333, '
        f"{BY_EPOCH} }}", "it warms up; with another scheduler after it, state warm_up there; "
        "where it falls, it is polynomial_decay", torch="LinearLR"),
    Row(f"{COSINE}steps = 1000, {BY_STEP}", "end_rate is alpha times the rate; warmup_steps is "
        "warm_up", keras="CosineDecay", jax="cosine_decay_schedule", tf1="cosine_decay",
        words="cosine cosine_annealing"),
    Row(f"{COSINE}epochs = 10, {BY_EPOCH}", "its T_max, which training must not pass, and eta_min; "
        "where scheduler.step() comes after an epoch", torch="CosineAnnealingLR"),
    Row(f"{RESTARTS}growth = 2.0, steps = 1000, {BY_STEP}", "t_mul is growth, m_mul peak_factor",
        keras="CosineDecayRestarts", tf1="cosine_decay_restarts"),
    Row(f"{RESTARTS}growth = 1.0, epochs = 10, {BY_EPOCH}", "its T_0, T_mult and eta_min; where "
        "scheduler.step() comes after an epoch", torch="CosineAnnealingWarmRestarts"),
    Row(f"{RESTARTS}growth = 2.0, steps = 1000, {BY_STEP}", words="sgdr warm_restarts "
        "cosine_restart cosine_warm_restarts"),
    _no(f"{RESTARTS}growth = 2.0, steps = 1000, {BY_STEP}", "each of its cycles warms up",
        jax="sgdr_schedule"),
    Row(f'{ONE_CYCLE}steps = 1000, annealing = "cosine"', "its max_lr is the learning_rate of "
        "optimizer; cycle_momentum=False", torch="OneCycleLR", words="1cycle one_cycle onecycle "
        "superconvergence"),
    _no(f'{ONE_CYCLE}steps = 1000, annealing = "cosine"', "its turns come one step later",
        jax="cosine_onecycle_schedule"),
    _no(f'{ONE_CYCLE}steps = 1000, annealing = "linear"', "its turns come one step later",
        jax="linear_onecycle_schedule"),
    Row(POWER, "for SGDClassifier and "
        "batches of one row; MLPClassifier counts rows, and changes the rate after an epoch",
        sklearn="invscaling", words="power inverse_sqrt noam rsqrt"),
    Row(f'name = "constant", {WARM_UP} }}', jax="warmup_constant_schedule", words="warmup warm_up "
        "linear_warmup warmup_constant"),
    Row(f"{COSINE}steps = 1000, {BY_STEP}, {WAITS}", "their decay_steps include the warm-up, ours "
        "do not", jax="warmup_cosine_decay_schedule", words="warmup_cosine cosine_warmup"),
    Row(f'name = "exponential_decay", factor = 0.9, every_steps = 1000, {BY_STEP}, {WAITS}',
        jax="warmup_exponential_decay_schedule"),
    Row("", "leave schedule out: the rate is constant", sklearn="constant",
        jax="constant_schedule", words="none"),
    Row(f"plateau = {{ {PLATEAU}patience = 10, min_delta = 1e-4, relative = false, {EVERY} }}",
        "a table of its own; it needs validation rows", where="[training]",
        keras="ReduceLROnPlateau", words="plateau reduce_on_plateau"),
    Row(f"plateau = {{ {PLATEAU}patience = 11, min_delta = 1e-4, relative = true, {EVERY} }}",
        "theirs waits for one validation more than it says; it needs validation rows",
        where="[training]", torch="ReduceLROnPlateau"),
    _no(f"plateau = {{ {PLATEAU.replace('0.1', '0.2')}patience = 2, min_delta = 1e-4, "
        f"relative = false, {EVERY} }}", "the other watches the training loss",
        where="[training]", sklearn="adaptive"),
    _no(PIECES + "at_epochs = [30, 80]", "a function or a list of other schedules is not offered",
        keras="LearningRateSchedule LearningRateScheduler", torch="CyclicLR LambdaLR "
        "MultiplicativeLR SequentialLR ChainedScheduler LRScheduler", sklearn="optimal",
        jax="join_schedules piecewise_interpolate_schedule"),
)  # fmt: skip

REDUCTIONS = (
    Row('batch = "mean"', keras="sum_over_batch_size mean_with_sample_weight auto",
        torch="batchmean elementwise_mean", words="average avg"),
    _no('batch = "mean"', "a step needs one loss, not one of every row", keras="none",
        torch="none", words="no"),
)  # fmt: skip

SCALES = (
    Row('scale = "standardize"', sklearn="StandardScaler scale", keras="Normalization",
        words="standard standardise standardization z_score zscore whiten mean_std"),
    Row('scale = "min_max"', sklearn="MinMaxScaler minmax_scale", words="minmax 0_1 zero_one"),
    Row('scale = "divide_by_255"', torch="ToTensor", keras="Rescaling", words="255 /255 1/255"),
    Row('scale = "hundredth_to_one"', words="0.01_1 hundredth one_hundredth rashid"),
    Row('scale = "minus_one_to_one"', torch="Normalize", words="-1_1 symmetric"),
    _no('scale = "standardize"', "scaling row by row, by quantiles or by the largest is not "
        "offered", sklearn="RobustScaler MaxAbsScaler Normalizer QuantileTransformer "
        "PowerTransformer normalize", words="l2_normalize unit_norm"),
)  # fmt: skip

ORDERS = (
    Row('order = "shuffled", size = 32, last = "keep"',
        words="random shuffle true randomly permuted epoch_shuffle"),
    Row('order = "sequential", size = 32, last = "keep"',
        words="in_order ordered false none unshuffled minibatch mini-batch"),
    Row('order = "with_replacement", size = 32, last = "keep"', words="bootstrap replacement "
        "random_choice sampled stochastic"),
    Row('order = "full"', words="full_batch batch all whole"),
)  # fmt: skip

SPLITS = (
    Row('name = "sklearn", test = 0.25, seed = 0, stratified = false',
        sklearn="train_test_split ShuffleSplit", words="holdout shuffled"),
    Row('name = "stratified", test = 0.2, seed = 0',
        sklearn="StratifiedShuffleSplit stratify"),
    Row('name = "all"', "the same rows train and test", words="none no full train"),
    _no('name = "random", test = 0.2, seed = 0', "cross-validation is not offered; "
        "write a protocol for each seed", sklearn="KFold StratifiedKFold cross_validate "
        "cross_val_score LeaveOneOut", words="cv cross_validation k-fold"),
)  # fmt: skip

NO_IMPROVEMENT = ('name = "no_improvement", watched = "loss", patience = 10, min_delta = 0.0, '
                  'restore = "never", every_epochs = 1')  # fmt: skip
STOPPING = (
    Row(NO_IMPROVEMENT, 'for restore_best_weights=True restore = "always"',
        keras="EarlyStopping", torch="EarlyStopping", words="early early_stopping"),
)  # fmt: skip

DTYPES = (
    Row('dtype = "float32"', torch="float", words="fp32 f32 single f4 tf.float32"),
    Row('dtype = "float64"', torch="double", words="fp64 f64 f8"),
    _no('dtype = "float32"', "no proof is known for so few bits", keras="mixed_float16 "
        "mixed_bfloat16 float16 bfloat16", torch="half float16 bfloat16", jax="bfloat16 float16",
        words="fp16 bf16 float8 int8"),
)  # fmt: skip

ESTIMATORS = (
    _no('estimator = "LinearRegression"', "a network for values is the protocol itself, with "
        'loss = { name = "mean_squared_error", ... }, which every framework trains',
        sklearn="MLPRegressor", words="MLP NeuralNetwork"),
    _no('estimator = "LinearRegression"', "it has no penalty and no other loss",
        sklearn="Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV SGDRegressor Lars LassoLars "
        "BayesianRidge ARDRegression HuberRegressor LinearSVR QuantileRegressor PoissonRegressor "
        "TweedieRegressor GammaRegressor TheilSenRegressor RANSACRegressor"),
    _no('estimator = "LogisticRegression"', "the penalty is in its parameters: parameters = "
        "{ C = 1.0 }", sklearn="LogisticRegressionCV RidgeClassifier RidgeClassifierCV "
        "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis", words="softmax_regression"),
    _no('estimator = "SGDClassifier"', 'a linear machine by its loss: parameters = { loss = '
        '"hinge" }', sklearn="LinearSVC SVC NuSVC PassiveAggressiveClassifier", words="svm"),
    _no("", "only solvers that train a linear model or a network are offered",
        sklearn="RandomForestClassifier RandomForestRegressor DecisionTreeClassifier "
        "DecisionTreeRegressor GradientBoostingClassifier GradientBoostingRegressor "
        "HistGradientBoostingClassifier HistGradientBoostingRegressor KNeighborsClassifier "
        "KNeighborsRegressor GaussianNB MultinomialNB BernoulliNB AdaBoostClassifier "
        "GaussianProcessClassifier SVR", words="RandomForest xgboost XGBClassifier lightgbm "
        "LGBMClassifier knn KNN"),
)  # fmt: skip

DATASETS = (
    Row('dataset = "mnist"', keras="mnist", torch="MNIST", sklearn="mnist_784",
        words="mnist.npz mnist_train"),
    Row('dataset = "fashion-mnist"', keras="fashion_mnist", torch="FashionMNIST",
        sklearn="Fashion-MNIST", words="fashion"),
    Row('dataset = "iris"', sklearn="load_iris"),
    Row('dataset = "digits"', sklearn="load_digits", words="optdigits"),
    Row('dataset = "wine"', sklearn="load_wine", words="wine_recognition"),
    Row('dataset = "breast-cancer"', sklearn="load_breast_cancer",
        words="breast_cancer breastcancer wdbc cancer"),
    Row('dataset = "moons", drawn = { rows = 200, noise = 0.1, seed = 0 }',
        "angles are drawn, not evenly spaced, and by another generator", sklearn="make_moons",
        words="half_moons two_moons moon"),
    Row('dataset = "circles", drawn = { rows = 200, noise = 0.1, seed = 0 }',
        "the inner radius is 0.5 (there factor = 0.8), and angles are drawn",
        sklearn="make_circles", words="rings concentric"),
    Row('dataset = "blobs", drawn = { rows = 200, noise = 0.5, seed = 0 }',
        "the centres are fixed, three of them, and noise is their deviation",
        sklearn="make_blobs", words="gaussians clusters"),
    Row('dataset = "spiral", drawn = { rows = 400, noise = 0.02, seed = 0 }',
        "it has two arms of one turn and a quarter each", words="spirals two_spirals make_spirals "
        "spiral_data"),
    _no("", "samestep fetches nothing else by a name; save it as a table (frame.to_csv) and write "
        'file = "table.csv", target = "class"; mnist_784 is dataset = "mnist"',
        sklearn="fetch_openml", keras="get_file", words="openml load_dataset tfds tfds.load "
        "read_csv loadtxt genfromtxt csv"),
    _no("", 'save what it returns (numpy.savez("data.npz", x=x, y=y)) and write '
        'file = "data.npz", target = "y"',
        sklearn="make_classification make_regression make_gaussian_quantiles make_swiss_roll "
        "make_s_curve make_hastie_10_2 make_multilabel_classification",
        torch="ImageFolder TensorDataset FakeData"),
    Row('dataset = "diabetes"', sklearn="load_diabetes"),
    Row('dataset = "kaggle-digits"', words="digit-recognizer kaggle kaggle_mnist"),
    _no("", "it does not come with samestep; harness/experiment/README.md says how to bring your "
        "own", keras="cifar10 cifar100 boston_housing california_housing imdb reuters",
        torch="CIFAR10 CIFAR100 KMNIST EMNIST QMNIST SVHN USPS ImageNet", sklearn="load_boston "
        "fetch_california_housing fetch_covtype fetch_20newsgroups load_linnerud",
        words="cifar-10 cifar imagenet boston titanic adult housing penguins"),
)  # fmt: skip

ADAPTERS = (
    Row("--frameworks numpy", words="np"),
    Row("--frameworks sklearn", words="scikit-learn scikit scikitlearn"),
    Row("--frameworks keras", words="tensorflow tf tf2 tensorflow2"),
    Row("--frameworks torch", words="pytorch torch.nn"),
    Row("--frameworks jax", words="jax.numpy xla jaxlib"),
    Row("--frameworks flax", words="nnx flax.nnx linen optax"),
)  # fmt: skip

VALUES = {
    "network.layers.activation": ACTIVATIONS,
    "training.loss.name": LOSSES,
    "training.loss.batch": REDUCTIONS,
    "training.optimizer.name": OPTIMIZERS,
    "training.schedule.name": SCHEDULES,
    "initializers.weights.name": INITIALIZERS,
    "initializers.biases.name": INITIALIZERS,
    "data.dataset": DATASETS,
    "data.scale": SCALES,
    "data.split.name": SPLITS,
    "training.batches.order": ORDERS,
    "training.stopping.name": STOPPING,
    "dtype": DTYPES,
    "native.estimator": ESTIMATORS,
    "frameworks": ADAPTERS,
}
"""Place of a value in a protocol, without numbers of layers, to the names that may stand there."""

WHO = {
    "algorithm_1": "PyTorch, Optax",
    "epsilon_hat": "Keras, scikit-learn, TensorFlow 1",
    "epsilon_outside_root": "PyTorch",
    "epsilon_inside_root": "Keras, Optax, TensorFlow 1",
}
"""Values between which a protocol must choose, and the libraries that have each."""
