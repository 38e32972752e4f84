"""Writes cases for pyre's tests: one JSON object a line, results from Python's re.

usage: generate.py SEED COUNT
"""
import json
import random
import re
import resource
import sys
import warnings

warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_AS, (500_000_000, 500_000_000))
rnd = random.Random(int(sys.argv[1]))
COUNT = int(sys.argv[2])

FIXED = [
    r"(a|ab)(c|bcd)(d*)", r"(?:(a)|b)*", r"(?:(a)|(b))*", r"(a*)*", r"(a*)+", r"(a|b*)*?c", r"(?:a?)*?b",
    r"(a?){3}", r"(?:(x)|y){2}", r"(?P<n>a)(?P=n)", r"(?P<n>a)|b(?(n)c|d)", r"(a)?(?(1)b|c)", r"(?<=ab)c", r"(?<!a)b",
    r"(?<=a|b)c", r"(?<=a+)b", r"(?<=(a))b", r"(?=(a))ab", r"(?!a)b", r"(?>a+)ab", r"a++b", r"a*+a", r"a?+b", r"(?:ab|a){2}+",
    r"(?:ab|a)*+b", r"(?i)straSSe", r"(?i)[k-s]+", r"(?i:a)b", r"(?-i:a)b", r"(?s).", r"(?s:.)", r"(?m)^a$", r"(?x) a b # c",
    r"(?x)a\ b[ ]c", r"(?a)\w+", r"\w+", r"\W+", r"\d+", r"\s+", r"\bfoo\b", r"\Bo", r"\Aab", r"ab\Z", r"$", r"^", r"a$", r"[^a]",
    r"[]a]", r"[^]a]", r"[a-]", r"[\w-]", r"[\]\[]", r"[a\-z]", r"\x41", r"\u0041", r"\U00000041", r"\101", r"\0", r"\08", r"a{2}",
    r"a{2,}", r"a{,2}", r"a{2,3}?", r"a{,}", r"a{", r"a{x}", r"a{}", r"{", r"}", r"]", r"a{1", r"a{1,", r"x*", r"x*?", r"(|a)+", r"(a|)+", r"()*", r"(?:)*",
    r"()", r"a|b|", r"|a", r"(a|b)*c|(a|ab)*c", r"((a)|b)*", r"(a(b)?)+", r"(?:a(b)?)+", r"(.*)(\d+)", r"(.*?)(\d+)", r"(a)(?=b(c)?)", r"\1", r"(\1)", r"(a)\2",
    r"(?P<n>", r"(?P<1>a)", r"(?P<n>a)(?P<n>b)", r"(?P=x)", r"(?P>x)", r"(?P", r"(?", r"(?z)", r"(?<a)", r"(?<", r"(", r")", r"a)", r"(a", r"[a", r"[", r"[]", r"[z-a]",
    r"[\d-z]", r"[a-\d]", r"*a", r"+", r"?", r"a**", r"a+*", r"a???", r"a+++", r"^*", r"\b*", r"$+", r"(?:^)*", r"a{3,2}", r"a{99999999999}", "\\", "a\\", r"\q", r"\xg", r"\u12", r"\U00110000",
    r"[\q]", r"[\xg]", r"\8", r"\400", r"[\400]", r"[\8]", r"(?i", r"(?i-", r"(?i-s", r"(?i-i:a)", r"(?L)a", r"(?au)a", r"(?i-u:a)", r"(?-:a)", r"(?i!)", r"a(?i)b", r"(?i)(?m)a", r"|(?i)a",
    r"(?#c)a", r"(?#c", r"a(?#c)*", r"(?(1)a)", r"(?(0)a)", r"(?(x)a)", r"(?(-1)a)", r"(?(1)a|b|c)(d)", r"(?(1)a", r"(?(1", r"(a)(?(1)b)c", r"(?(1)a|b)(c)", r"(?<=(?P<x>a)(?P=x))b",
    r"(?<=(a)\1)b", r"(a)(?<=\1)b", r"(a)(?<=(?(1)a|b))c", r"(?:a|b)??c", r"(?:ab)*?b", r"(?:ab){1,2}?", r"(?i)ſ", r"(?i)K", r"(?i)[à-ý]", r"(?i)ß", r"(?i)i", r"(?i)ı", r"(?ia)k", r"(?i)(ab)\1",
    r"\N{DASH}"[:0] + "a.b", r"(?x)(?i)a", r"(?i)(?x) a b", r"(?s)(?:.*)$", r"(?m)$", r"(?m)^", r"(?m)^$", r"\n", r"[\n]", r"(?:(?:a*)*)*b", r"(?=a*)*b", r"(?:(?=(a))a)*", r"(?!(a)b)a", r"(?:a|(b))*\1", r"((?(1)a|b))*",
    r"(?:(a)|b(?!\1))*", r"(a)|(?<=b)(c)", r"([ab])([cd])?", r"(\w+)\s+(\w+)", r"(?P<key>\w+)=(?P<val>[^;]*)", r"^\s*#?\s*(\w+)", r"(?i)^#?PermitRootLogin", r"[0-9]+(?:\.[0-9]+)*", r"(?<![0-9.])1", r"^(.*)$", r"(.+?)(?:,|$)",
    r"(?<=^)a", r"(?<!^)a", r"(?<=\b)a", r"(?<=a{2})b", r"(?<=a{1,2})b", r"(?<=(?:ab|cd))e", r"(?:(?>a|ab)c)", r"(?>(a))b|a(c)", r"(?>(?:a(b)?)*)", r"(?:(a)(?=(b))|c)+", r"(x)?(?:(?(1)y|z))+",
]
TEXTS = ["", "a", "b", "ab", "abc", "abcd", "aab", "aaab", "abab", "ababc", "foo bar", "a\nb", "a\n", "\n", "aXbX", "x1y22", "key=val; k2=v2", "# PermitRootLogin yes", "Straße ſtrasse STRASSE", "äöü ÄÖÜ", "Kelvin K",
         "été 日本語", "\u0660\u0661 ² ½", "a\x1cb\u2003c", "1.2.3", "aa bb cc", "cab", "accab", "iIıİ", "ac bd", "yz xy", "bcbc", "a{2}", "aaa{", "\x00", "😀a😀"]
TEMPLATES = [r"\1", r"<\g<0>>", r"\g<1>x", r"\g<n>", r"-", "", r"\n\t", r"\\", r"\.", r"\q", r"\g", r"\g<", r"\g<>", r"\g<a b>", r"\g<9>", r"\9", r"\07", r"\101", r"\477", r"\12", r"[\0]", r"\g<-1>", "ä\\1", "\\"]

ATOMS = ["a", "b", "c", "ab", "x", ".", r"\w", r"\d", r"\s", r"\b", r"\B", "[ab]", "[^a]", "[a-c]", "^", "$", r"\n", "1", "é", r"\W", r"[\d_]", "B"]
QUANT = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}", "*+", "++", "?+"]
POSSESSIVE = ["*+", "++", "?+"]
SINGLE = ["a", "b", "c", "x", ".", r"\w", "[ab]", "[^a]"]


def atom(depth, groups):
    k = rnd.random()
    if depth <= 0 or k < 0.55:
        return rnd.choice(ATOMS)
    body = alt(depth - 1, groups)
    if k < 0.75:
        groups[0] += 1
        return "(" + body + ")"
    if k < 0.85:
        return "(?:" + body + ")"
    if k < 0.88:
        return "(?=" + body + ")"
    if k < 0.91:
        return "(?!" + body + ")"
    if k < 0.93:
        return "(?<=" + rnd.choice(ATOMS) + ")"
    if k < 0.95:
        return "(?<!" + rnd.choice(ATOMS) + ")"
    if k < 0.96:
        return "(?>" + body + ")"
    if k < 0.97:
        return "(?i:" + body + ")"
    if k < 0.985 and groups[0]:
        return "(?(%d)%s|%s)" % (rnd.randint(1, groups[0]), seq(0, groups), seq(0, groups))
    if groups[0]:
        return "\\%d" % rnd.randint(1, groups[0])
    return "a"


def seq(depth, groups):
    out = ""
    for _ in range(rnd.randint(0, 3) if depth < 2 else rnd.randint(1, 4)):
        one = atom(depth, groups)
        out += one
        if rnd.random() < 0.35:
            quant = rnd.choice(QUANT)
            if quant in POSSESSIVE and one not in SINGLE:
                quant = "*"  # 3.11 forgets to go back when a possessive group fails
            out += quant
    return out


def alt(depth, groups):
    return "|".join(seq(depth, groups) for _ in range(rnd.choice([1, 1, 1, 2, 2, 3])))


def junk():
    return "".join(rnd.choice(["a", "b", "(", ")", "[", "]", "?", "*", "+", "{", "}", "|", "\\", "1", ",", "-", "^", "$", ":", "=", "<", ">", "!", "P", "i", "#", "2", "n"]) for _ in range(rnd.randint(1, 9)))


def text():
    if rnd.random() < 0.4:
        return rnd.choice(TEXTS)
    return "".join(rnd.choice(["a", "a", "b", "b", "c", "x", "1", " ", "\n", "A", "B", "é", "_"]) for _ in range(rnd.randint(0, 12)))


def spans(m):
    if m is None:
        return None
    return [list(m.span(i)) for i in range(m.re.groups + 1)]


def run(fn):
    try:
        return fn()
    except (re.error, IndexError, OverflowError, ValueError) as e:
        return {"error": str(e)}


def case(pattern, flags, s, repl, n):
    out = {"pattern": pattern, "flags": flags, "text": s, "repl": repl, "n": n}
    try:
        r = re.compile(pattern, flags)
    except (re.error, OverflowError, ValueError, RecursionError) as e:
        out["error"] = str(e)
        return out
    out["match"] = spans(r.match(s))
    out["search"] = spans(r.search(s))
    out["full"] = spans(r.fullmatch(s))
    out["iter"] = [spans(m) for m in r.finditer(s)]
    out["all"] = [[x] if isinstance(x, str) else list(x) for x in r.findall(s)]
    out["split"] = r.split(s, n)
    out["sub"] = run(lambda: list(r.subn(repl, s, n)))
    out["escape"] = re.escape(pattern)
    return out


def emit(*args):
    try:
        out = case(*args)
    except MemoryError:  # some lazy loops never end in Python
        return
    print(json.dumps(out))


if COUNT:
    for p in FIXED:
        for s in rnd.sample(TEXTS, 4):
            emit(p, 0, s, rnd.choice(TEMPLATES), rnd.choice([0, 0, 1, 2]))
    for t in TEMPLATES:
        emit("(?P<n>a)(b)?", 0, "abaa", t, 0)
for i in range(COUNT):
    if i % 8 == 0:
        p = junk()
    else:
        p = alt(rnd.choice([1, 2, 2, 3]), [0])
    flags = rnd.choice([0, 0, 0, 0, re.I, re.M, re.S, re.I | re.S, re.A, re.X, re.M | re.I])
    emit(p, int(flags), text(), rnd.choice(TEMPLATES), rnd.choice([0, 0, 0, 1, 2]))
