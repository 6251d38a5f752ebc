"""Figures of Olofsson et al. 2014, tables 8 and 9 and section 5, and matrices that can be worked by hand."""

import math

import numpy as np
import pytest

from candela_processes.analytics.accuracy import change_accuracy, confusion, kappa, stratified_areas
from candela_processes.errors import InvalidInput

SAMPLES = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED = np.array([200_000, 150_000, 3_200_000, 6_450_000])  # pixels of 30 m
HECTARE = 0.09


def test_olofsson_2014_areas() -> None:
    found = stratified_areas(SAMPLES, MAPPED)
    np.testing.assert_allclose(found.areas[0], 235_086, atol=1)
    np.testing.assert_allclose(1.96 * found.area_errors[0], 68_418, atol=2)
    np.testing.assert_allclose(found.areas * HECTARE, [21_158, 11_686, 285_770, 581_386], atol=1)
    np.testing.assert_allclose(1.96 * found.area_errors * HECTARE, [6_158, 3_756, 15_510, 16_282], atol=1)
    np.testing.assert_allclose(found.intervals.mean(axis=1), found.areas)
    np.testing.assert_allclose(np.ptp(found.intervals, axis=1), 2 * 1.96 * found.area_errors)


def test_olofsson_2014_table_9_and_accuracies() -> None:
    found = stratified_areas(SAMPLES, MAPPED)
    table_9 = [
        [0.0176, 0, 0.0013, 0.0011],
        [0, 0.0110, 0.0016, 0.0024],
        [0.0019, 0, 0.2967, 0.0213],
        [0.0040, 0.0020, 0.0179, 0.6212],
    ]
    np.testing.assert_allclose(found.proportions, table_9, atol=6e-5)
    assert found.overall == pytest.approx(0.95, abs=0.005)
    assert 1.96 * found.overall_error == pytest.approx(0.02, abs=0.005)
    np.testing.assert_allclose(found.users, [0.88, 0.73, 0.93, 0.96], atol=0.005)
    np.testing.assert_allclose(1.96 * found.users_errors, [0.07, 0.10, 0.04, 0.02], atol=0.005)
    np.testing.assert_allclose(found.producers, [0.75, 0.85, 0.93, 0.96], atol=0.005)
    # The paper prints 0.21, 0.23, 0.03, 0.01; its equation 7 gives 0.254 and 0.018 for the second and the fourth.
    np.testing.assert_allclose(1.96 * found.producers_errors[[0, 2]], [0.21, 0.03], atol=0.005)


def test_cohens_kappa_by_hand() -> None:
    # agreement 35/50 = 0.7; chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5; kappa = 0.2 / 0.5
    assert kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)
    assert kappa(np.array([[9, 0], [0, 4]])) == 1.0
    assert math.isnan(kappa(np.array([[9, 0], [0, 0]])))
    assert math.isnan(kappa(np.zeros((2, 2))))


def test_confusion_and_change_class_by_hand() -> None:
    mapped = np.array([[0, 0, 1, 1, 1, 0, 255]])
    reference = np.array([[0, 1, 1, 1, 0, -1, 1]])
    matrix = confusion(mapped, reference, 2)
    assert matrix.tolist() == [[1, 1], [1, 2]]
    accuracy = change_accuracy(matrix)
    assert (accuracy.samples, accuracy.false_alarms, accuracy.missed) == (5, 1, 1)
    assert accuracy.overall == pytest.approx(3 / 5)
    assert accuracy.precision == accuracy.recall == accuracy.f1 == pytest.approx(2 / 3)
    assert math.isnan(change_accuracy(np.array([[5, 0], [0, 0]])).f1)


def test_refuses_what_cannot_be_estimated() -> None:
    with pytest.raises(InvalidInput, match="one shape"):
        confusion(np.zeros(3, int), np.zeros(4, int), 2)
    with pytest.raises(InvalidInput, match="2 x 2 sample counts"):
        stratified_areas(SAMPLES, np.array([1, 2]))
    with pytest.raises(InvalidInput, match="greater than zero"):
        stratified_areas(SAMPLES, np.array([1, 2, 0, 4]))
    with pytest.raises(InvalidInput, match="at least two"):
        stratified_areas(np.eye(4, dtype=int), MAPPED)


@pytest.mark.parametrize("mapped", [(0.1, 0.7), (1.8249999999999, 52.77), (1 / 3, 1e-3)])
def test_a_map_without_errors_has_standard_errors_of_nought(mapped: tuple[float, float]) -> None:
    found = stratified_areas(np.array([[5300, 0], [0, 2000]]), np.array(mapped))
    assert found.area_errors.tolist() == [0.0, 0.0]
    assert found.overall_error == 0.0
    np.testing.assert_allclose(found.areas, mapped)
