"""How much of a mother's belief counts for her daughters: what is added, and how it is chosen."""

import numpy as np
import pytest
import torch

from models.inheritance import MOMENTS_H, Inheritance, Lives, beliefs, choose_inheritance

AGES = np.array([1.0, 4.0, 9.0])


def lives(own: np.ndarray, label: np.ndarray) -> Lives:
    """Mothers and, after all of them, one daughter of each; all shortly before onset."""
    n = len(own) // 2
    tree = np.tile(np.arange(n), 2)
    ages = np.tile(AGES, (2 * n, 1))
    return Lives(own, ages, np.r_[np.full(n, -1), np.arange(n)], label, np.full(2 * n, -1), tree, np.zeros(2 * n, int))


def test_the_mothers_belief_counts_most_at_birth():
    """Its share falls to nothing, while that of the cell's own evidence rises to 1."""
    own, mother = Inheritance(own=0.5, young=0.8, hours=2.0).shares(torch.tensor([0.0, 2.0, torch.inf]))
    torch.testing.assert_close(own, torch.tensor([0.5, 1 - 0.5 / np.e, 1.0]))
    torch.testing.assert_close(mother, torch.tensor([0.8, 0.8 / np.e, 0.0]))


def test_a_daughter_adds_the_last_belief_of_her_mother():
    """In log odds, and she hands on the sum."""
    life = Lives(
        own=np.array([[1.0, 2.0], [0.5, 0.5], [0.0, 0.0]]),
        age_h=np.full((3, 2), 2 * np.log(2)),
        mother=np.array([-1, 0, 1]),
        label=np.ones(3),
        generation=np.zeros(3, int),
        genealogy=np.zeros(3, int),
        experiment=np.zeros(3, int),
    )
    found = beliefs(life, Inheritance(own=1, young=1, hours=2))
    np.testing.assert_allclose(found, [[1, 2], [1.5, 1.5], [0.75, 0.75]])


def chosen(mothers_know: bool, daughters_know: bool) -> Inheritance:
    """What is chosen where cells show their fate, or nothing of it."""
    rng = np.random.default_rng(0)
    label = np.tile(np.arange(400) % 2, 2).astype(float)
    knows = np.repeat([mothers_know, daughters_know], 400)[:, None]
    own = rng.normal(0, 2, (800, len(MOMENTS_H))) + 3 * knows * (2 * label - 1)[:, None]
    return choose_inheritance([lives(own, label)])


@pytest.mark.parametrize("daughters_know", [False, True])
def test_mothers_who_know_are_listened_to(daughters_know):
    """More than mothers who do not."""
    one, other = chosen(True, daughters_know), chosen(False, daughters_know)
    assert one.young > other.young


def test_where_there_is_no_telling_the_default_holds():
    """Cells of one fate rank nothing."""
    assert choose_inheritance([lives(np.zeros((8, 3)), np.ones(8))]) == Inheritance()
