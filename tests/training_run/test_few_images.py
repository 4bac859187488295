"""A few images of a large set: some of every class, part and group."""

from making.folders import list_grouped, list_labelled

from gellib.data import limit_images
from gellib.evaluation import MULTILABEL


def test_few_images_are_taken_from_every_class_and_part():
    images = list_grouped({("train", 0): 400, ("train", 1): 80, ("test", 1): 100, ("test", 2): 7})
    few = limit_images(images, 60)
    kept = few.table.groupby(["split", "label"]).size().to_dict()
    assert kept == {("train", 0): 41, ("train", 1): 8, ("test", 1): 10, ("test", 2): 6}
    places = few.table[["split", "file"]]
    assert places.equals(places.sort_values(["split", "file"]))
    assert limit_images(images, 0) is images and limit_images(images, 587) is images
    assert limit_images(images, 60).table.equals(few.table)


def test_few_images_come_from_as_many_groups_as_can_be():
    images = list_grouped({("", 0): 400, ("", 1): 400}, per_group=20)
    few = limit_images(images, 80)
    assert few.table["group"].nunique() == 40


def test_few_images_of_several_labels_keep_the_rare_ones():
    labels = [(0,)] * 90 + [(0, 1)] * 90 + [(0, 2)] * 8 + [()] * 12
    few = limit_images(list_labelled(labels, MULTILABEL, ("a", "b", "c")), 40)
    assert few.table["label"].value_counts().to_dict() == {(0,): 18, (0, 1): 18, (0, 2): 6, (): 6}
