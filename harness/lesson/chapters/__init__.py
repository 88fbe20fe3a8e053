"""Every item of the five posts, by number, and what computes it."""

from harness.lesson.chapters import (
    deep_networks,
    first_digits,
    gates,
    layers_and_losses,
    network_by_hand,
    xor_network,
)
from harness.lesson.material import Item

ITEMS: dict[int, Item] = {
    **gates.ITEMS,
    **first_digits.ITEMS,
    **xor_network.ITEMS,
    **layers_and_losses.ITEMS,
    **network_by_hand.ITEMS,
    **deep_networks.ITEMS,
}
