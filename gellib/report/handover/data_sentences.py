"""What the images of a run were, in past tense; each number is from its record or files."""

from __future__ import annotations

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import join_and, shorten
from gellib.report.conclusions.wording import count
from gellib.report.handover.reported import Reported

MOST_CLASSES = 6
_LONGEST_NAME = 40


def class_list(names: list[str]) -> str:
    """Name classes for a sentence; of many, the first ones."""
    shown = [in_markdown(shorten(name, _LONGEST_NAME)) for name in names[:MOST_CLASSES]]
    more = [f"{len(names) - MOST_CLASSES} others"] if len(names) > MOST_CLASSES else []
    return join_and([*shown, *more])


def images_sentence(found: Reported) -> str:
    """Count the images, in all and by class."""
    classes = found.by_class
    if len(classes) <= MOST_CLASSES:
        own = ", ".join(
            f"{n} {in_markdown(shorten(name, _LONGEST_NAME))}" for name, n in classes.items()
        )
    else:
        own = f"{min(classes.values())} to {max(classes.values())} images per class"
    what = f"of {len(classes)} classes"
    if not found.exclusive:
        what = f"with any number of {count(len(classes), 'label')} each"
    return f"The data set comprised {count(found.images, 'image')} {what} ({own})."


def unreadable_sentence(found: Reported) -> str:
    """Say which images were left out; empty where none were."""
    parts = []
    if n := len(found.record.data.skipped_images):
        verb = "was" if n == 1 else "were"
        parts.append(f"{count(n, 'image file')} could not be read and {verb} left out.")
    if most := found.config["max_images"]:
        parts.append(f"At most about {most} images were used, spread over classes.")
    return " ".join(parts)


def extra_sentence(found: Reported) -> str:
    """Say which further images were only trained on; empty where there were none."""
    own = found.record.data.extra
    if not own.images:
        return ""
    counts = [(name, n) for name, n in own.counts.items() if n]
    shown = [f"{n} {in_markdown(shorten(name, _LONGEST_NAME))}" for name, n in counts]
    kinds = f" ({', '.join(shown)})" if len(shown) <= MOST_CLASSES else ""
    where = "in every fold" if found.crossed else "besides"
    text = (
        f"{count(own.images, 'further image')}{kinds} from {in_code(own.root)} "
        f"{'was' if own.images == 1 else 'were'} trained on {where}; no score is of them"
    )
    if own.known:
        text += (
            f", and {own.known} more {'was' if own.known == 1 else 'were'} left out as duplicates "
            "of images of the data set or of their groups"
        )
    return f"{text}."


def duplicates_searched(found: Reported) -> bool:
    """Whether duplicates were searched for: to keep them together, or for families of images."""
    data = found.record.data
    return bool(data.duplicates.get("checked", True) or data.families.get("checked"))


def duplicates_sentence(found: Reported) -> str:
    """Say which duplicates were found among the images; empty where the record does not say."""
    known, families = found.record.data.duplicates, found.record.data.families
    if not known:
        return ""
    if not duplicates_searched(found):
        return "Duplicates of images were not searched for."
    exact, near = known.get("exact", 0), known.get("near", 0)
    pairs = [f"{count(exact, 'pair')} of identical images"] if exact else []
    pairs += [f"{count(near, 'pair')} of near-duplicates"] if near else []
    text = f"A search for duplicates found {join_and(pairs) or 'none'}"
    if pairs and not known.get("checked", True):
        text += ", which did not decide how the images were divided"
    if families.get("groups"):
        clusters = count(families["groups"], "near-duplicate cluster")
        text += (
            f"; {families.get('images', 0)} images formed {clusters}, such as slices of one subject"
        )
    return f"{text}."


def groups_sentence(found: Reported) -> str:
    """Say that images of a group stayed together; empty where each image stood alone."""
    groups, n = found.groups, found.grouped_images
    if groups is None or groups >= n or not found.groups_whole:
        return ""
    where = "fold" if found.crossed else "part of the split"
    return (
        f"The {n} images formed {groups} independent groups (duplicates or images of one subject), "
        f"each kept whole in one {where}."
    )


def units(found: Reported) -> str:
    """Say what is independent: `groups` or `images`."""
    groups = found.groups
    return "groups" if groups is not None and groups < found.grouped_images else "images"


def preprocessing_sentence(found: Reported) -> str:
    """Say how an image became the input of the network."""
    config = found.config
    colour = "in colour" if config["color"] == "rgb" else "as grey levels"
    contrast = ", with their contrast stretched" if config["contrast"] == "stretch" else ""
    size = config["image_size"]
    return f"Images were read {colour}{contrast}, resized and cropped to {size} × {size} pixels."
