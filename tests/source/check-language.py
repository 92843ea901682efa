#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The language of the tree: texts, comments and names use the terms of the glossary in daemon/HACKING.md. Each rule
names words that have a plainer term, and the term to use instead.

usage: check-language.py ROOT"""

import bisect
import dataclasses
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../harness"))

import tap
import tree
from tap import require, require_equal

# Bytes that fuzzers read, a picture, the licence, and this file, which names every word.
UNCHECKED = re.compile(r"^tests/fuzz/corpus/|\.svg$|^LICENSE$|^tests/source/check-language\.py$")


@dataclasses.dataclass(frozen=True)
class Rule:
    words: str         # regular expression; a blank matches a line break within a comment or a paragraph, too
    instead: str
    example: str       # which the rule finds
    but: tuple = ()    # contexts in which the words are plain English, in the same notation
    product: bool = False  # not for tests/


RULES = (
    Rule("told", "an alert is raised, written or delivered; a program reports or prints", "It was told late.",
         ("told apart",)),
    Rule("tells? (?:of|that|how|whom|nobody|somebody)", "reports, says, or a passive without it",
         "The alert tells of it."),
    Rule("(?:not )?to be had", "available, not available", "The sensor is not to be had."),
    Rule("[Mm]emory is short", "Out of memory", "Memory is short."),
    Rule("whole", "complete, no detection gap, the entire …", "Detection was not whole.",
         ("as a whole", "whole numbers?", "link_whole")),
    Rule("[Tt]he watch", "the sensor, the service, monitoring", "The watch begins."),
    Rule("begin(?:s|ning)? anew", "start with empty state, start again", "It begins anew."),
    Rule("blind(?:s|ness)?", "not monitored (not_monitored)", "What blinds the sensor."),
    Rule("(?:sits?|sitting|sat) (?:on|at)", "attached to", "A program sits on the hook."),
    Rule(r"(?:\[Allow\]|(?:allow )?rules?)(?: \w+)? (?:does not |do not )?holds?",
         "applies, apply", "No [Allow] holds."),
    Rule("taint(?:s|ed|ing)?", "mark", "The taint spreads."),
    Rule("(?:ends?|tells?|names?|shows?) the way", "the route; ends tracking", "A carrier ends the way."),
    Rule("[Ww]hoever", "name the subject: a process, a user, a program that …", "Whoever reads it is marked."),
    Rule("Who (?!(?:may|can|is|did|has|are) [^.?]*\\?)[a-z]+", "name the subject: a process, a user, a program that …",
         "Who reads it is marked.", product=True),
    Rule("(?:of|to|by|from|for|than|and|with|at|lets?|gives?|tells?) who(?! (?:am|are) )",
         "name the object: the process that …",
         "It is given to who asks.", product=True),
    Rule("[Ww]hereto", "destination", "Whereto it goes."),
    Rule("lest", "so that … not", "It is closed, lest it leak."),
    Rule("signs? of life", "watchdog keep-alive", "It gives a sign of life."),
    Rule("(?:daemon|programs|instance|one) before(?= (?:has|have|had|left|run|kn[eo]w|did)|[.,:])",
         "the previous instance",
         "Left by the daemon before."),
    Rule("(?:taken?|takes|took) over(?! (?:a|the) (?:name|path))", "adopt, adopted", "The programs are taken over."),
    Rule('"Cannot (?!determine)[a-z]+', 'Failed to VERB OBJECT: %s', 'log_error("Cannot open %s", path);'),
)
BLANK = r'(?:[ \t]+|[ \t]*\\?[ \t]*(?:\\n)?"?[ \t]*\n[ \t]*(?:\*(?!/)|#|;|")?[ \t]*)'


def compiled(pattern):
    """Words begin and end at letters, so that identifiers are words, too."""
    return re.compile(r"(?<![A-Za-z])" + pattern.replace(" ", BLANK) + r"(?![A-Za-z])")


COMPILED = [(rule, compiled(rule.words), [compiled(context) for context in rule.but]) for rule in RULES]


def findings(name, text):
    """[(line, the words, the rule)] of one file."""
    found = []
    starts = [0] + [match.end() for match in re.finditer("\n", text)]
    for rule, words, contexts in COMPILED:
        if rule.product and name.startswith("tests/"):
            continue
        allowed = [match.span() for context in contexts for match in context.finditer(text)]
        for match in words.finditer(text):
            if not any(begin <= match.start() and match.end() <= end for begin, end in allowed):
                found.append((bisect.bisect(starts, match.start()), " ".join(match[0].split()), rule))
    return sorted(found, key=lambda finding: finding[0])


def check(root):
    """One line for each finding."""
    lines = []
    for name in tree.tracked_files(root):
        path = os.path.join(root, name)
        if not UNCHECKED.search(name) and os.path.isfile(path):
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                found = findings(name, file.read())
            lines += [f"{name}:{line}: “{words}”: {rule.instead}" for line, words, rule in found]
    return lines


def check_tree(root):
    lines = check(root)
    require(not lines, "words that the glossary replaces:\n" + "\n".join(lines))


def check_example(root, rule):
    """A copy of a source file with the words put back is found, at the right line, also where a line breaks between
    them."""
    with tempfile.TemporaryDirectory(prefix="barbwire-language-") as directory:
        name = "daemon/manager.c"
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path))
        shutil.copy(os.path.join(root, name), path)
        with open(path, encoding="utf-8") as file:
            n_lines = file.read().count("\n")
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"/* {rule.example} */\n")
        found = check(directory)
        require(any(line.startswith(f"{name}:{n_lines + 1}: ") and line.endswith(rule.instead) for line in found),
                f"not found: {rule.example}")
    broken = rule.example.replace(" ", "\n * ")
    require(any(r is rule for _, _, r in findings(name, f"/* {broken} */\n")), f"not found: {broken}")


def check_contexts():
    """Plain English passes."""
    for text in ("A reload is refused as a whole.", "The string is untold.", "Who may read it?", "barbwire.service"):
        require_equal(findings("daemon/example.c", text), [], text)


def main():
    root = os.path.realpath(sys.argv[1])
    t = tap.Tap()
    t.case("texts use the terms of the glossary", check_tree, root)
    for rule in RULES:
        t.case(f"is found when put back: {rule.example}", check_example, root, rule)
    t.case("plain English is left alone", check_contexts)
    t.done()


if __name__ == "__main__":
    main()
