"""Numbers as people read them."""


def seconds(value: float) -> str:
    """Three significant digits and a fitting unit: `412 µs`, `3.05 ms`, `1.27 s`, `2 min 5 s`."""
    if value >= 119.5:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size * 0.9995:
            return f"{three_digits(value / size)} {unit}"
    return f"{three_digits(value / 1e-9)} ns" if value > 0 else "0 s"


def three_digits(value: float) -> str:
    """Three significant digits of a positive number: `1,560`, `205`, `37.4`, `1.27`."""
    if value >= 99.95:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
