"""How strong a movement is, and the steps from there: "A little more", "A little less"."""

from jobs.wish import LEAST_STRENGTH, MOST_STRENGTH, Wish

STRENGTH = "strength"
"""The option of engines that can scale a movement."""

MORE, LESS = "more", "less"
_FACTORS = {MORE: 1.25, LESS: 1 / 1.25}
# A smaller step would not be visible.
_LEAST_STEP = 0.05


def strength_of(wish: Wish) -> float:
    """Return the strength of a wish's movement; 1 is as it was drawn or filmed."""
    value = wish.options.get(STRENGTH, 1.0)
    return float(value) if isinstance(value, int | float) else 1.0


def next_strength(wish: Wish, step: str) -> float | None:
    """Return the strength one step (`MORE` or `LESS`) from a wish's; None at the bound."""
    strength = strength_of(wish)
    wanted = round(strength * _FACTORS[step], 2)
    found = min(max(wanted, LEAST_STRENGTH), MOST_STRENGTH)
    return found if abs(found - strength) >= _LEAST_STEP else None
