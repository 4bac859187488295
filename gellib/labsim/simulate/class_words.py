"""The simulated classes in words, as they are named to a reader."""

CLASS_WORDS: dict[str, str] = {
    "gel_dim": "a dim gel",
    "gel_stretched": "a gel with bright bands on black",
    "gel_inverted": "a gel with dark bands on a light ground",
    "gel_annotated": "a gel with labels",
    "gel_panels": "several gels in one picture",
    "gel_fingerprint": "a gel with many narrow lanes",
    "gel_coomassie": "a stained protein gel",
    "gel_greyed": "a colour photograph of a gel",
    "gel_blot": "a blot",
    "gel_photographed": "a gel on a bench",
    "landscape": "a landscape",
    "sea": "the sea or the sky",
    "building": "a building",
    "street": "a street",
    "leaves": "leaves or pebbles",
    "solids": "balls and boxes",
    "flower": "flowers",
    "desk": "a desk in a room",
    "portrait": "a person",
    "dish": "food on a table",
    "text": "printed text",
    "table": "a table or a form",
    "plot": "a plot",
    "circuit": "an electronic circuit",
    "bar_code": "a bar code",
    "code_2d": "a QR code",
    "cells": "cells under a microscope",
    "phantom": "an X-ray or a tomography slice",
    "spectrogram": "a spectrogram",
    "plate": "a microplate or an array",
    "stars": "points of light, as stars",
    "tessellation": "a mosaic",
    "weave": "cloth, bricks or another texture",
    "fringes": "stripes or contour lines",
    "slats": "shelves, blinds or another repetition",
    "score": "sheet music",
    "trace": "a recorded curve",
    "karyotype": "chromosomes",
    "spectrum": "spectral lines",
}


def class_in_words(name: str) -> str:
    """Name a simulated class in words; one that is not known without its underscores."""
    return CLASS_WORDS.get(name, name.replace("_", " "))
