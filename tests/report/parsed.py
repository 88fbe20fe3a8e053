"""A page read back: elements nest, nothing is fetched, and what the tests check is stored."""

import base64
import gzip
import json
import re
from html.parser import HTMLParser

VOID = {"meta", "input", "img", "br", "link"}
CLOSED_BY = {("td", "td"), ("tr", "td"), ("tr", "tr")}
"""(element, open element that it ends), as far as the page leaves end tags out."""


class Page(HTMLParser):
    """Checks that elements nest, and keeps what the tests ask about."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.scripts = [], [], [], []
        self.headings = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        self.tags.append((tag, attributes))
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            local = attributes.get(name, "#")[:1] == "#" or attributes[name].startswith(
                "data:image/png;"
            )
            assert local or (tag == "a" and re.match("https?://", attributes[name]))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        while self.open and (tag, self.open[-1]) in CLOSED_BY:
            self.open.pop()
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        while tag == "tbody" and self.open[-1] in ("td", "tr"):
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and self.open[-1] == "script":
            self.scripts.append((self.tags[-1][1], text))

    @property
    def json(self):
        """Identity of a script to its value."""
        plain = {
            attributes["id"]: json.loads(text)
            for attributes, text in self.scripts
            if attributes.get("type") == "application/json"
        }
        packed = {
            attributes["id"]: json.loads(gzip.decompress(base64.b64decode(text)))
            for attributes, text in self.scripts
            if attributes.get("type") == "application/gzip" and attributes["id"] != "library"
        }
        return plain | packed
