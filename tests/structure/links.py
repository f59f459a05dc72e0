"""Every relative link of a page points at a file, and at a heading, that is there; so does every path that a page names."""

import pathlib
import re
import tempfile
import unittest

import rooms

FENCE = re.compile(r"^ {0,3}(```|~~~)")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$")
CODE = re.compile(r"`([^`]*)`")
TARGETS = (re.compile(r"\[[^\]]*\]\(<?([^()\s>]+)>?[^()]*\)"), re.compile(r"^ {0,3}\[[^\]]+\]: +<?([^\s>]+)"),
           re.compile(r'<(?:img|source|a)\b[^>]*?\b(?:src|srcset|href)="([^"]*)"'))
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
PATH = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*/?")
LEFT_OUT = ("build", ".git", "aforo-state")


def pages(root):
    return sorted(path for path in root.rglob("*.md") if not set(LEFT_OUT) & set(path.relative_to(root).parts[:-1]))


def prose(page):
    """(line number, line) of what is neither fenced nor indented as code."""
    fenced, blank = False, True
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced and not (line.startswith("    ") and blank):
            yield number, line
        blank = not line.strip() or (blank and line.startswith("    "))


def anchors(page):
    """The names that GitHub gives to the headings of a page."""
    found, seen = set(), {}
    for _, line in prose(page):
        match = HEADING.match(line)
        if match:
            name = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match.group(1)).lower()).replace(" ", "-")
            found.add(name + (f"-{seen[name]}" if seen.get(name) else ""))
            seen[name] = seen.get(name, 0) + 1
    return found


def wrong_link(root, page, target):
    """What is wrong with a link of `page`; None when nothing is."""
    if ELSEWHERE.match(target):
        return None
    name, _, anchor = target.partition("#")
    there = (root / name.lstrip("/") if name.startswith("/") else page.parent / name) if name else page
    if not there.exists():
        return f"{target}: there is no such file"
    if anchor and there.suffix == ".md" and anchor not in anchors(there):
        return f"{target}: {there.name} has no such heading"
    return None


def wrong_path(root, text):
    """The same of a path from the root that a page names: of what begins with a folder of ours."""
    text = text.split(" ")[0]
    folder = text.split("/")[0]
    if "/" not in text or folder in (*LEFT_OUT, ".", "..") or not PATH.fullmatch(text) or not (root / folder).is_dir():
        return None
    there = (root / text).exists() or any((root / text).parent.glob(pathlib.Path(text).name + ".*"))  # `ingest/form` is two files
    return None if there else f"`{text}`: there is no such file"


def findings(root):
    """One line for each link or path that leads nowhere."""
    found = []
    for page in pages(root):
        for number, line in prose(page):
            bare = CODE.sub("", line)
            wrong = [wrong_link(root, page, target) for pattern in TARGETS for target in pattern.findall(bare)]
            wrong += [wrong_path(root, text) for text in CODE.findall(line)]
            found += [f"{page.relative_to(root)}:{number}: {why}" for why in wrong if why]
    return found


class Links(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        found = findings(rooms.ROOT)
        if found:
            self.fail("\n" + "\n".join(found))

    def test_there_are_links_to_look_at(self):
        links = sum(len(pattern.findall(line)) for page in pages(rooms.ROOT) for _, line in prose(page)
                    for pattern in TARGETS)
        self.assertGreater(links, 10)


class TheCheckItself(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="aforo-links-")
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        (self.root / "docs").mkdir()
        (self.root / "docs" / "b.md").write_text("# One thing\n\n## Again & again, `too`\n\n## One thing\n")

    def found(self, text):
        (self.root / "docs" / "a.md").write_text(text)
        return [line.split(": ", 1)[1] for line in findings(self.root)]

    def test_what_is_there(self):
        text = ("[a](b.md) [b](b.md#one-thing) [c](b.md#again--again-too) [d](b.md#one-thing-1) [e](../docs/b.md) [f](#here)\n"
                "[g](https://example.org/x) ![h](b.md \"title\") <img alt=\"\" src=\"b.md\"> `docs/b.md` `docs/b` `docs/`\n\n"
                "[i]: b.md\n\n# Here\n")
        self.assertEqual(self.found(text), [])

    def test_what_is_not(self):
        for text in ("[a](c.md)", "[a](b.md#two)", "[a](#nowhere)", "![a](c.svg)", '<img src="c.svg">', "[a]: c.md", "`docs/c.md`"):
            with self.subTest(text=text):
                self.assertEqual(len(self.found(text + "\n")), 1)

    def test_code_is_not_read(self):
        for text in ("```\n[a](c.md)\n```\n", "text\n\n    [a](c.md)\n", "`[a](c.md)`\n", "`10/s` `a/b` `/stats`\n"):
            with self.subTest(text=text):
                self.assertEqual(self.found(text), [])


if __name__ == "__main__":
    unittest.main()
