"""What an augmentation does to a digit, as it is shown before a run."""

import pytest
from streamlit.testing.v1 import AppTest

from neuralscope.data.augmentation import AUGMENTATIONS
from neuralscope.ui import augmentation_preview


def page(name: str) -> None:
    from neuralscope.data import load_dataset
    from neuralscope.ui import augmentation_preview

    augmentation_preview.show(load_dataset("digits"), name)


def shown(name: str) -> AppTest:
    app = AppTest.from_function(page, kwargs={"name": name}, default_timeout=20).run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def test_every_augmentation_is_explained() -> None:
    assert ["none", *augmentation_preview.EXPLANATIONS] == list(AUGMENTATIONS)


@pytest.mark.parametrize("name", list(augmentation_preview.EXPLANATIONS))
def test_the_original_stands_before_eight_variants(name: str) -> None:
    app = shown(name)
    images = [image.proto.imgs[0] for image in app.get("image")]
    assert [image.caption for image in images] == ["original", *"12345678"]
    assert [image.alt for image in images[:2]] == [
        "A 0 of the training digits",
        "The same 0, distorted, 1 of 8",
    ]
    assert len({image.url for image in images}) >= (9 if name != "shift" else 5)
    assert [each.value for each in app.subheader] == ["What augmentation does to a digit"]
    assert app.caption[0].value.startswith("Each time a training digit is seen")
    assert [image.proto.imgs[0].url for image in shown(name).get("image")] == [
        image.url for image in images
    ]


def test_without_augmentation_there_is_nothing_to_show() -> None:
    app = shown("none")
    assert not app.get("image") and not app.caption and not app.subheader
