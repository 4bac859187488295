"""A methods paragraph for a manuscript, from a run's record: sentences and BibTeX entries."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gellib.base.markup import as_plain, in_markdown
from gellib.base.text import join_and
from gellib.report.handover import data_sentences as data
from gellib.report.handover import evaluation_sentences as evaluated
from gellib.report.handover import model_sentences as model
from gellib.report.handover import promise_sentences as promised
from gellib.report.handover.document import Block, Bullets, Heading, Paragraph, Verbatim
from gellib.report.handover.references import bibtex, cited, keys_in, network_keys
from gellib.report.handover.reported import Reported

MOST_WORDS = 300
# In the order of the paragraph; the largest number is left out first where it gets too long, and
# what has 0 always stands.
_SENTENCES = (
    (0, "images", data.images_sentence),
    (0, "images left out", data.unreadable_sentence),
    (0, "further training images", data.extra_sentence),
    (2, "duplicates", data.duplicates_sentence),
    (0, "groups", data.groups_sentence),
    (0, "input", data.preprocessing_sentence),
    (0, "network", model.network_sentence),
    (0, "training", model.training_sentence),
    (0, "augmentation", model.augmentation_sentence),
    (0, "evaluation", evaluated.evaluation_sentence),
    (0, "choice", evaluated.choice_sentence),
    (1, "tests", evaluated.tests_sentence),
    (0, "calibration", promised.calibration_sentence),
    (0, "thresholds", promised.thresholds_sentence),
    (0, "intervals", evaluated.headline_intervals_sentence),
    (3, "prediction sets", promised.sets_sentence),
    (4, "images unlike the training images", promised.unlike_sentence),
    (0, "software", model.software_sentence),
)


@dataclass(frozen=True)
class Methods:
    """A methods paragraph, a result, and what they cite.

    Parameters
    ----------
    sentences
        Of the paragraph, with marks of citations.
    results
        The score, for a section of results.
    left_out
        What the paragraph leaves out because of its length.
    unknown
        Networks whose paper the author has to add.
    """

    sentences: tuple[str, ...]
    results: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def paragraph(self) -> str:
        """Return the paragraph with authors and years (Markdown)."""
        return " ".join(map(cited, self.sentences))

    def keys(self) -> list[str]:
        """Return the keys of what is cited."""
        return keys_in(self.sentences)

    def bibliography(self) -> str:
        """Return the BibTeX entries."""
        return "\n\n".join(map(bibtex, self.keys())) + "\n"

    def blocks(self, *, with_bibliography: bool = True) -> list[Block]:
        """Return the document: paragraph, result, notes and, unless it is a file, the BibTeX."""
        notes = [
            *(
                [f"Left out for its length: {join_and(self.left_out)} (`gellib card` has it)."]
                if self.left_out
                else []
            ),
            *(
                f"Add a reference for the network {in_markdown(name)}: gellib knows none."
                for name in self.unknown
            ),
            "Where the images and their labels come from, who may use them, and what was done "
            "outside of gellib is not on record: add it.",
        ]
        entries = [Heading("BibTeX"), Verbatim(self.bibliography())]
        return [
            Heading("Methods", 1),
            Paragraph(self.paragraph()),
            Heading("For the results"),
            Paragraph(" ".join(map(cited, self.results))),
            Heading("For the author"),
            Bullets(tuple(notes)),
            *(entries if with_bibliography else ()),
        ]


def write_methods(found: Reported) -> Methods:
    """Write the methods paragraph of a run, of at most 300 words where names are short."""
    texts = {name: (rank, write(found)) for rank, name, write in _SENTENCES}
    kept = {name: text for name, (_, text) in texts.items() if text}
    left_out = []
    for _, name in sorted(((r, n) for n, (r, t) in texts.items() if r and t), reverse=True):
        if count_words(" ".join(map(cited, kept.values()))) > MOST_WORDS:
            del kept[name]
            left_out.append(name)
    _, unknown = network_keys(str(found.config["pretrained_model"]))
    return Methods(
        tuple(kept.values()),
        tuple(evaluated.results_sentences(found)),
        tuple(left_out),
        tuple(unknown),
    )


def count_words(sentence: str) -> int:
    """Count the words of a sentence as a word processor does."""
    return len(re.findall(r"\S+", as_plain(sentence)))
