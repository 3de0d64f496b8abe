"""Configuration files of any lines that Asterisk's grammar knows, in any order."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

Files = dict[str, bytes]

HEADERS = (
    *("[a]", "[b]", "[c]", "[t](!)", "[a](t)", "[b](t,u)", "[u](!,t)", "[a](+)", "[A]", "[c]]"),
    *("[ a ]", "[a b]", "[a];c", "[a](t);c", "[c] (t)", "[c]x(t)", "[b](!)", "[A](T)", "[b](a)"),
    *("[b](t, u)", "[e](+)", "[t](+)", "[d", "[d](t", "[d](none)", "[d](+t)", "[d](!)(t)", "[]"),
    *("[a](+k=1)", "[a](+k=2)", "[a](+k=1&m=2)", "[](t)", "[a]()", "[b](,t)", "[b](t,)", "[b](t!)"),
)
KEYS = (
    *("k=1", "k=2", "k = 3 ", "k => 4", "k=>", "k+=5", "k +=6", "=7", "k", "  k=8", "k==9"),
    *("k=>=1", "k= >1", "K=1", "k=a\\;b", "k=a;b", "k=a\\\\;b", 'k="q"', "k=a#b", "m=1", "m+=2"),
    *("m=", "\tm=3", "m=1\\", "k=\\;x;y", "k+ = 1", "+=1", "k>1", "=", "k =", "k=;x", "k+=,x"),
    *("m =>> 1", "k =  > 2", "k=\xe4", "\x0bk=1", "k=1\x0b", "k\xa0=1", "\x00k=1", "k=\x001"),
)
COMMENTS = (
    *(";", ";x", ";-- x", "--;", ";-- a --; k=2", "k=1 ;-- a --; z", ";--;", ";---", ";--- --;"),
    *("a --; k=5", ";====--;", "k=1 --; m=2", "k=1;--", "-- ;", "--", "k=1 ;-- --; ;-- --; 3"),
    *("; --;", "k=--;1", "\\;--", "k=\\;-- x", "", "   ", "k=;--1--;2", "--;k=9", "-;-- k=1"),
)
INCLUDES = (
    *("#include {}", '#include "{}"', "#include <{}>", "#tryinclude {}", " #include {}"),
    *("#INCLUDE {}", "#include\t{}", "#include {} ; c", "#include {}#", "#include {} # c"),
    *("#include '{}'", "#include  {}  ", "#include={}", "#includes {}", "#include ./{}"),
)
OTHERS = ("#exec x", "#other", "#tryinclude none.conf", "#tryinclude g/*.none", "#", "# include a")
_ALPHABET = '[]()!+,;-=>#"<>{}*?\\ \tabk1'

_LEVELS = (
    ("g/1.conf", ()),
    ("g/2.conf", ()),
    ("g/3.conf", ()),
    ("z.conf", ("g/*.conf", "g/1.conf", "g/{1,2}.conf", "g/[23].conf", "g/?.conf")),
    ("y.conf", ("z.conf", "g/*.conf", "[z].conf", "g/{3,1}.conf")),
    ("x.conf", ("y.conf", "z.conf", "g/*.conf", "{z,y}.conf", "[yz].conf")),
)
"""Files, each with what it may include: never itself, for that crashes Asterisk (22.10.1)."""


def _lines(targets: Iterable[str]) -> st.SearchStrategy[str]:
    includes = [form.format(target) for form in INCLUDES for target in targets]
    plain = st.sampled_from((*HEADERS[:7], *KEYS, *COMMENTS))
    rarer = st.sampled_from((*HEADERS, *OTHERS)) | st.text(_ALPHABET, max_size=14)
    rarer |= st.integers(8_180, 8_200).map(lambda length: "k=" + "x" * length)
    return st.one_of(plain, plain, rarer, *((st.sampled_from(includes),) if includes else ()))


def _texts(targets: Iterable[str]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda mark, lines, newline, end: mark + newline.join(lines).encode("latin-1") + end,
        st.sampled_from((b"", b"", b"", b"\xef\xbb\xbf")),
        st.lists(_lines(targets), max_size=9),
        st.sampled_from(("\n", "\n", "\n", "\r\n")),
        st.sampled_from((b"\n", b"")),
    )


def files() -> st.SearchStrategy[Files]:
    """Generate files, of which ``x.conf`` is the one to load."""
    return st.fixed_dictionaries({name: _texts(targets) for name, targets in _LEVELS})
