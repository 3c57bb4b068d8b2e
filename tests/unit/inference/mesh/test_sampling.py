"""Tables and pictures read between their values."""

import numpy as np

from inference.mesh.sampling import Along, for_colours, mixed, sample, sample_at


def test_a_line_is_read_between_its_values_and_held_beyond_its_ends() -> None:
    line = np.array([3.0, -1.0, 5.0, 5.5])
    place = np.random.default_rng(1).uniform(-2, 6, (40, 30)).astype(np.float32)

    found = Along(place, len(line)).on(line)

    np.testing.assert_allclose(found, np.interp(place, np.arange(4), line), atol=1e-5)
    assert found.dtype == np.float32
    assert Along(np.array([0.0, 3.0, np.inf]), 4).on(line).tolist() == [3, 5.5, 5.5]


def test_colours_are_mixed_by_their_shares() -> None:
    random = np.random.default_rng(2)
    one, other = random.uniform(0, 255, (2, 9, 7, 3)).astype(np.float32)
    share = random.uniform(0, 1, (9, 7))

    wanted = (1 - share[..., None]) * one + share[..., None] * other

    np.testing.assert_allclose(mixed(one, other, share), wanted, atol=1e-3)
    np.testing.assert_array_equal(mixed(one, other, np.zeros((9, 7))), one)


def test_a_value_is_repeated_for_each_colour() -> None:
    share = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(for_colours(share), np.repeat(share[..., None], 3, axis=-1))


def test_places_as_pairs_and_as_x_and_y_read_the_same() -> None:
    random = np.random.default_rng(3)
    picture = random.uniform(0, 255, (20, 30, 3)).astype(np.float32)
    places = random.uniform(-3, 33, (8, 9, 2))

    found = sample_at(picture, (places[..., 0], places[..., 1]))

    np.testing.assert_array_equal(found, sample(picture, places))
    corner = sample_at(picture, (np.array([[-9.0, 29.0]]), np.array([[-9.0, 40.0]])))
    np.testing.assert_array_equal(corner, [[picture[0, 0], picture[19, 29]]])
