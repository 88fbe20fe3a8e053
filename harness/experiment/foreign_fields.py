"""What a field of another library is called in a protocol, by the table in which people write it.

The rows are those of `foreign_names`; `where` is the table to write in, if it is another.
"""

from harness.experiment.foreign_names import (
    ADAMW,
    AMSGRAD,
    DECAYS_ALL,
    MOMENTUM,
    NESTEROV,
    NO_IMPROVEMENT,
    POWER,
    SMOOTHING,
    SOFTMAX,
    SQUARE,
    WAITS,
    Row,
)

TRAINING = "[training]"
TORCH_L2 = 'l2 = { strength = 0.0001, half = true, per_row = false, on = "all" }'
SKLEARN_L2 = 'l2 = { strength = 0.0001, half = true, per_row = true, on = "weights" }'
KERAS_L2 = 'l2 = { strength = 0.01, half = false, per_row = false, on = "weights" }'
ADAMW_DECAY = ADAMW + 'epsilon = 1e-8, form = "algorithm_1", weight_decay = 0.01, ' + DECAYS_ALL
BATCHES = 'batches = { order = "shuffled", size = 32, last = "keep" }'
DECAY = 'schedule = { name = "step_decay", factor = 0.5, every_epochs = 10 }'
NO_SEED = "seeds are no part of a protocol: `samestep report FILE --seeds 3`"
NOT_COMPUTED = "leave it out: it does not change what is computed"


def _row(write: str, why: str = "", where: str = "", missing: bool = False, **names: str) -> Row:
    return Row(write, why, missing, where, **names)


def _no(why: str, **names: str) -> Row:
    return Row("", why, missing=True, **names)


GLOBAL_NORM = 'clipping = { name = "global_norm", bound = 1.0, epsilon = '
CLIPPING = (
    _row(GLOBAL_NORM + "0.0 }", "", TRAINING, keras="global_clipnorm", jax="clip_by_global_norm",
         words="gradient_clipping grad_clip clip gradient_clip_val max_grad_norm"),
    _row(GLOBAL_NORM + "1e-6 }", "", TRAINING, torch="max_norm clip_grad clip_grad_norm_"),
    _row('clipping = { name = "array_norm", bound = 1.0, epsilon = 0.0 }', "", TRAINING,
         keras="clipnorm"),
    _row('clipping = { name = "value", bound = 0.5 }', "", TRAINING, keras="clipvalue",
         torch="clip_value clip_grad_value_"),
)  # fmt: skip
L1_PENALTY = 'l1 = { strength = 0.01, per_row = false, on = "weights" }'
KERAS_MAX_NORM = 'max_norm = { bound = 2.0, of = "units", epsilon = 1e-7, form = "every_norm" }'
DROPOUT = _row('layers = [{ kind = "dropout", rate = 0.5, form = "inverted" }, { units = 10, '
               'activation = "identity" }]', "a layer of its own; rate is the probability to be "
               "dropped", "[network]", keras="dropout rate Dropout", torch="p Dropout",
               tf1="keep_prob", words="dropout_rate drop_rate")  # fmt: skip
L1 = _row(L1_PENALTY, "l1_l2 is both", TRAINING, keras="l1_l2", sklearn="l1_ratio penalty",
          words="lasso")  # fmt: skip
BY_ROWS = 'class_weights = { values = [1.0, 2.0], mean_over = "rows" }'
BY_WEIGHTS = 'class_weights = { values = [1.0, 2.0], mean_over = "weights" }'
OF_LOSS = "loss of [training]"
WEIGHTS = (
    _row(BY_ROWS, "", OF_LOSS, keras="class_weight"),
    _row(BY_WEIGHTS, "", OF_LOSS, torch="weight", words="class_weights"),
    _row(BY_ROWS, "the second is pos_weight", OF_LOSS, torch="pos_weight"),
    _no("a row weighs by its class at most", keras="sample_weight", torch="ignore_index"),
)  # fmt: skip
SEED = _no(NO_SEED, keras="seed", torch="manual_seed generator", sklearn="random_state", jax="key",
           words="rng random_seed")  # fmt: skip
SCHEDULE = _row(DECAY, where=TRAINING, keras="learning_rate_schedule", torch="lr_scheduler "
                "scheduler", words="lr_decay rate_decay "
                "lr_schedule decay_rate learning_rate_decay")  # fmt: skip
INVERSE_TIME = _row('schedule = { name = "inverse_time_decay", factor = 1e-6, every_steps = 1, '
                    'staircase = false, by = "step", first = "unchanged" }', "the rate is divided "
                    "by 1 + decay * step", TRAINING, keras="decay", torch="lr_decay")  # fmt: skip
MODEL = (
    _row("units = 32", keras="input_units", torch="out_features", jax="features num_features",
         words="size neurons n_units nodes width outputs out n_out"),
    _row("bias = false", keras="use_bias", jax="use_bias", sklearn="fit_intercept"),
    _row("inputs = 64", where="[network]", keras="input_dim input_shape", torch="in_features",
         words="input_size n_in"),
    _row('activation = "relu"', words="act activation_fn nonlinearity act_fn func"),
    _row('activation = "elu", alpha = 1.0', keras="alpha", torch="alpha", jax="alpha"),
    _row('activation = "leaky_relu", slope = 0.01', keras="negative_slope alpha",
         torch="negative_slope", jax="negative_slope", words="leak"),
    _row('weights = { name = "glorot_uniform" }', where="[initializers]",
         keras="kernel_initializer", jax="kernel_init",
         words="init initializer weight_init weights_init w_init weights"),
    _row('biases = { name = "zeros" }', where="[initializers]", keras="bias_initializer",
         jax="bias_init", words="b_init biases"),
    _row(KERAS_L2, "it counts for all layers", TRAINING, keras="kernel_regularizer regularizer "
         "bias_regularizer", words="l2 weight_decay"),
    DROPOUT,
    _no("samestep has no normalisation of layers", keras="batch_norm BatchNormalization",
        torch="BatchNorm1d LayerNorm", jax="BatchNorm LayerNorm", words="batch_normalization bn "
        "layer_norm normalization momentum"),
    _no("layers are dense; convolution and pooling are not offered", keras="filters kernel_size "
        "strides padding pool_size Conv2D", torch="Conv2d stride out_channels in_channels"),
    _row(KERAS_MAX_NORM, "it counts for all layers", TRAINING, keras="kernel_constraint MaxNorm "
         "max_norm", words="weight_constraint maxnorm"),
    _no("all parameters are trained, and biases are not bounded", keras="trainable "
        "activity_regularizer bias_constraint", torch="requires_grad"),
    _no("layers are dense and have no name; leave it out", keras="name Dense Flatten Input",
        torch="Linear", words="type layer class"),
)  # fmt: skip

FIELDS: dict[str, tuple[Row, ...]] = {
    "training.optimizer": (
        _row("learning_rate = 0.01", keras="lr", torch="lr", sklearn="learning_rate_init eta0",
             jax="step_size", words="eta rate stepsize alpha"),
        _row("beta1 = 0.9", keras="beta_1", sklearn="beta_1", jax="b1", words="b_1"),
        _row("beta2 = 0.999", keras="beta_2", sklearn="beta_2", jax="b2", words="b_2"),
        _row("beta1 = 0.9, beta2 = 0.999", torch="betas"),
        _row("epsilon = 1e-8", torch="eps", jax="eps", words="fuzz"),
        _row("rho = 0.99", of="rmsprop", torch="alpha"),
        _row("rho = 0.9", of="rmsprop", jax="decay", tf1="decay", words="gamma"),
        _row(NESTEROV, "a rule of its own", keras="nesterov",
             torch="nesterov", sklearn="nesterovs_momentum", jax="nesterov", tf1="use_nesterov"),
        _row(MOMENTUM, "a rule of its own, and no part of another", keras="momentum",
             torch="momentum", sklearn="momentum", jax="momentum", tf1="momentum", words="mu "
             "velocity"),
        _row(TORCH_L2, "", TRAINING, torch="weight_decay"),
        _row(ADAMW_DECAY, "a rule of its own: it is no part of the gradient, as an L2 penalty is",
             keras="weight_decay", jax="weight_decay"),
        _row('decay_on = "weights"', of="adamw", jax="mask", keras="exclude_from_weight_decay"),
        _row("momentum_decay = 1.0", of="nadam", keras="schedule_decay", words="psi"),
        _row("rho = 0.9", of="adadelta", torch="alpha", words="gamma decay"),
        _row(SKLEARN_L2, "", TRAINING, sklearn="alpha"),
        _row(KERAS_L2, "", TRAINING, words="l2 regularization lambda penalty"),
        INVERSE_TIME,
        SCHEDULE,
        _row(f"schedule = {{ {POWER} }}", "for invscaling of SGDClassifier and batches of one row",
             TRAINING, sklearn="power_t"),
        _row("initial_accumulator = 0.1", keras="initial_accumulator_value",
             torch="initial_accumulator_value", jax="initial_accumulator_value",
             tf1="initial_accumulator_value"),
        _row('form = "epsilon_inside_root"', of="rmsprop", jax="eps_in_sqrt"),
        _row(AMSGRAD + 'epsilon = 1e-7, form = "epsilon_hat", maximum = "before_correction"',
             "a rule of its own", keras="amsgrad"),
        _row(AMSGRAD + 'epsilon = 1e-8, form = "algorithm_1", maximum = "before_correction"',
             "a rule of its own", torch="amsgrad"),
        _no("centred RMSprop is not offered", keras="centered", torch="centered", jax="centered"),
        _no("leave it out where it is 0; otherwise it is not offered", torch="dampening",
            jax="eps_root initial_scale"),
        _no(NOT_COMPUTED, torch="foreach fused capturable differentiable maximize",
            keras="jit_compile name loss_scale_factor", tf1="use_locking",
            jax="mu_dtype accumulator_dtype"),
        _no("parameters are not averaged, and gradients not accumulated",
            keras="use_ema ema_momentum ema_overwrite_frequency gradient_accumulation_steps"),
        *CLIPPING,
    ),
    "network.layers": MODEL,
    "network": (
        _row("inputs = 64", keras="input_dim input_shape", torch="in_features input_size",
             words="n_inputs input features"),
        _row("layers = [{ units = 10, activation = \"identity\" }]", sklearn="hidden_layer_sizes",
             words="hidden hidden_layers hidden_sizes units outputs output"),
        _row("layers = [{ units = 10, activation = \"identity\" }]", "each layer states its own",
             words="activation activations bias"),
        *(row for row in MODEL if row.where or row.missing),
    ),
    "training.loss": (
        _row('batch = "mean"', keras="reduction", torch="reduction size_average reduce"),
        _row('outputs = "mean"', keras="axis", words="output_reduction"),
        _no("losses take logits: the last layer is 'identity'; an activation before the softmax "
            "is stated by behind_activation = true", keras="from_logits"),
        _row(SMOOTHING, "", of="softmax_cross_entropy", jax="alpha"),
        _row("delta = 1.0", of="huber", torch="beta", sklearn="epsilon"),
        _no("only Huber's loss has a delta", keras="delta", torch="beta delta"),
        *WEIGHTS,
    ),
    "training": (
        _row("length = { epochs = 10 }", keras="epochs", sklearn="max_iter n_iter",
             words="n_epochs num_epochs nb_epoch max_epochs"),
        _row("length = { steps = 1000 }", keras="steps steps_per_epoch",
             words="iterations num_steps max_steps n_steps training_steps iters"),
        _row(BATCHES, keras="batch_size shuffle", torch="batch_size shuffle drop_last",
             sklearn="batch_size shuffle", words="batch minibatch minibatch_size"),
        _row('optimizer = { name = "sgd", learning_rate = 0.01 }', keras="lr", torch="lr",
             sklearn="learning_rate_init solver", words="learning_rate eta optim rate"),
        _row(f"optimizer = {{ {MOMENTUM} }}", keras="momentum", torch="momentum",
             sklearn="momentum"),
        _row(TORCH_L2, torch="weight_decay"),
        _row(SKLEARN_L2, sklearn="alpha"),
        _row(KERAS_L2, keras="kernel_regularizer", words="regularization regularizer lambda"),
        L1,
        SCHEDULE,
        INVERSE_TIME,
        _row(f"stopping = {{ {NO_IMPROVEMENT} }}", "it needs validation rows",
             keras="EarlyStopping patience "
             "callbacks", sklearn="early_stopping n_iter_no_change tol", words="earlystopping"),
        _row("validation = 0.1", "", "[data]", keras="validation_split",
             sklearn="validation_fraction", words="validation"),
        _row(f"loss = {{ {SQUARE} }}",
             torch="criterion", words="loss_fn cost objective"),
        _row("evaluation = { every_epochs = 1 }", keras="validation_freq",
             words="eval_every log_every evaluate"),
        _no("loss and accuracy are always taken", keras="metrics verbose", sklearn="verbose"),
        SEED,
        DROPOUT,
        *CLIPPING,
        *WEIGHTS,
    ),
    "training.length": (
        _row("epochs = 10", sklearn="max_iter n_iter", words="n_epochs num_epochs epoch nb_epoch "
             "max_epochs"),
        _row("steps = 1000", words="iterations num_steps max_steps n_steps step iters"),
    ),
    "training.batches": (
        _row("size = 32", keras="batch_size", torch="batch_size", sklearn="batch_size"),
        _row('order = "shuffled"', keras="shuffle", torch="shuffle", sklearn="shuffle"),
        _row('last = "drop"', torch="drop_last", keras="drop_remainder", tf1="drop_remainder"),
        _row('order = "with_replacement"', torch="replacement", words="with_replacement"),
        SEED,
    ),
    "training.schedule": (
        _row("factor = 0.1", torch="gamma", keras="decay_rate", jax="decay_rate",
             tf1="decay_rate", words="drop rate decay"),
        _row("every_epochs = 10", torch="step_size", words="epochs_drop period"),
        _row("every_steps = 1000", keras="decay_steps", tf1="decay_steps", jax="transition_steps",
             words="every interval"),
        _row("steps = 1000", keras="first_decay_steps", torch="T_max T_0 total_iters total_steps",
             jax="decay_steps", words="length"),
        _row("end_rate = 0.0", torch="eta_min min_lr", keras="end_learning_rate alpha",
             jax="end_value alpha", words="min_rate final_rate"),
        _row("growth = 2.0", torch="T_mult", keras="t_mul"),
        _row("peak_factor = 1.0", keras="m_mul"),
        _row("rising = 0.3", torch="pct_start", jax="pct_start"),
        _row("start_divisor = 25.0", torch="div_factor", jax="div_factor"),
        _row("end_divisor = 1e4", torch="final_div_factor", jax="final_div_factor"),
        _row('annealing = "cosine"', torch="anneal_strategy"),
        _row("three_phases = true", torch="three_phase"),
        _row("power = 0.5", sklearn="power_t"),
        _row("at_epochs = [30, 80]", torch="milestones"),
        _row("at_steps = [1001, 2001]", "one more than theirs, which change after their step",
             keras="boundaries"),
        _row("rates = [0.01, 0.001]", "without the first, which is the learning_rate of optimizer",
             keras="values"),
        _row(f"{WAITS}", keras="warmup_steps", jax="warmup_steps", words="warmup warm_up_steps "
             "warmup_epochs"),
        _row("learning_rate = 0.01", "", "optimizer of [training]", keras="initial_learning_rate "
             "warmup_target", torch="max_lr", jax="init_value peak_value"),
        _row("staircase = true", of="inverse_time_decay", keras="staircase"),
        _no("step_decay is the staircase of exponential_decay", keras="staircase", jax="staircase"),
        _no("the momentum of optimizer stays as it is", torch="cycle_momentum base_momentum "
            "max_momentum"),
        _no("the first step is never the last of an earlier run; leave it out",
            torch="last_epoch verbose"),
    ),
    "training.l2": (
        _row("strength = 0.01", keras="l2", torch="weight_decay", sklearn="alpha C", words="lambda "
             "weight value factor coefficient"),
        _row(L1_PENALTY, "a table of its own", TRAINING, keras="l1"),
    ),
    "training.stopping": (
        _row("patience = 10", "theirs waits for one validation more", of="no_improvement",
             sklearn="n_iter_no_change"),
        _row("min_delta = 0.0001", of="no_improvement", sklearn="tol", words="delta"),
        _row('watched = "loss"', "of the validation rows", of="no_improvement", keras="monitor",
             torch="monitor", words="metric quantity"),
        _row('restore = "always"', "Keras 2 restored only where it had stopped: \"if_stopped\"",
             of="no_improvement", keras="restore_best_weights", words="restore_best"),
        _row("every_epochs = 1", words="every interval frequency"),
        _no("a loss must fall and an accuracy must rise, from the first validation on",
            keras="mode start_from_epoch baseline"),
    ),
    "initializers": (
        _row('weights = { name = "glorot_uniform" }', keras="kernel kernel_initializer",
             torch="weight", jax="kernel_init", words="w W weights_init"),
        _row('biases = { name = "zeros" }', keras="bias bias_initializer", torch="bias",
             jax="bias_init", words="b"),
        SEED,
    ),
    "initializers.weights": (
        _row("std = 0.05", keras="stddev", jax="stddev", words="sigma standard_deviation scale"),
        _row("low = -0.05, high = 0.05", keras="minval maxval", torch="a b", jax="scale",
             words="min max limit"),
        _row("mean = 0.0", words="mu loc"),
        _row("value = 0.0", torch="val", words="constant fill_value"),
        _no("the width of the layer alone decides; other gains and fans are not offered",
            keras="gain mode distribution", torch="gain fan nonlinearity mode"),
        SEED,
    ),
    "data": (
        _row('dataset = "mnist"', words="name source data set"),
        _row("validation = 0.1", keras="validation_split", sklearn="validation_fraction",
             words="val_split validation_size"),
        _row('split = { name = "random", test = 0.2, seed = 0 }', sklearn="test_size train_size "
             "random_state stratify", words="test train"),
        _row('scale = "divide_by_255"', words="normalize normalise scaling normalization "
             "standardize preprocessing transform scaler"),
        _row(BATCHES, "", TRAINING, keras="batch_size shuffle", torch="batch_size shuffle"),
        SEED,
    ),
    "data.split": (
        _row("test = 0.2", sklearn="test_size", words="test_share fraction ratio"),
        _row("test = 0.25", "state the share of the test rows", sklearn="train_size"),
        _row("seed = 0", sklearn="random_state", words="shuffle_seed"),
        _row('split = { name = "stratified", test = 0.2, seed = 0 }', "", "[data]",
             sklearn="stratify"),
        _row("validation = 0.1", "", "[data]", keras="validation_split", words="validation"),
        _no("a split by name says so", sklearn="shuffle"),
    ),
    "": (
        _row("length = { epochs = 10 }", "", TRAINING, keras="epochs", sklearn="max_iter",
             words="steps"),
        _row(BATCHES, "", TRAINING, keras="batch_size", torch="batch_size", sklearn="batch_size"),
        _row('optimizer = { name = "sgd", learning_rate = 0.01 }', "", TRAINING,
             keras="optimizer lr", torch="lr", words="learning_rate"),
        _row(f"loss = {{ {SOFTMAX} }}", "", TRAINING, keras="loss", torch="criterion"),
        _row('layers = [{ units = 10, activation = "identity" }]', "", "[network]", keras="layers",
             words="model architecture units"),
        _row('dataset = "mnist"', "", "[data]", words="dataset"),
        _row('title = "My experiment"', words="description caption"),
        _no("devices, threads and frameworks are no part of a protocol, but options of "
            "`samestep report`", torch="device num_workers", sklearn="n_jobs", words="threads "
            "frameworks framework loops"),
        SEED,
    ),
}  # fmt: skip
FIELDS["initializers.biases"] = FIELDS["initializers.weights"]
FIELDS["native"] = (
    _row("parameters = { alpha = 0.01 }", words="params hyperparameters kwargs arguments alpha "
         "max_iter solver random_state penalty C hidden_layer_sizes"),
    _row('estimator = "SGDClassifier"', words="model name class solver_name"),
    _row('framework = "sklearn"', words="library package"),
)  # fmt: skip
