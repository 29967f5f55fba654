"""PPTX, and PPTM, whose macros are not looked at. A page is a slide."""

from itertools import islice
from typing import Final

from firstseen.hashing.archive import Archive
from firstseen.hashing.content import Content
from firstseen.hashing.readers.markup import xml_text, xml_tree
from firstseen.hashing.readers.opc import GRAMMAR, Package

_DIAGRAMS: Final = "diagramData"


def read(data: bytes, content: Content) -> None:
    """Takes the text and the pictures of the slides in their order; not notes and layouts.

    Raises:
        MediaError: it is damaged, encrypted or over a limit.
    """
    package = Package(Archive(data, content.limits))
    main = package.main_part()
    slides = package.related(main, "slide")
    order = [
        slides[id_]
        for element in xml_tree(package.read(main)).iter("{*}sldId")
        for id_ in element.attrib.values()
        if id_ in slides
    ]
    for index, slide in enumerate(islice(order, content.limits.max_pages)):
        content.check_time()
        content.add_text(xml_text(package.read(slide), GRAMMAR))
        for diagram in package.related(slide, _DIAGRAMS).values():
            content.add_text(xml_text(package.read(diagram), GRAMMAR))
        package.add_pictures(slide, content, index)
