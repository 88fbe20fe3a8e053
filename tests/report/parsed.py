"""A page read back: elements nest, nothing is fetched, and what the tests ask about is kept."""

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

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        assert not any(name.startswith("on") for name in found)
        for name in ("src", "href"):
            local = found.get(name, "#")[:1] == "#" or found[name].startswith("data:image/png;")
            assert local or (tag == "a" and re.match("https?://", found[name]))
        if "id" in found:
            self.ids.append(found["id"])
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
        return {
            found["id"]: json.loads(text)
            for found, text in self.scripts
            if found.get("type") == "application/json"
        }
