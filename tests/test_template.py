"""Go's templates as `--format` has them: what each construct makes, and each mistake."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from fastbox.cli._table import aligned, listing
from fastbox.cli._template import Template, TemplateError, typed

DATA = typed(
    {
        "Id": "sha256:abc",
        "Os": "linux",
        "Size": 1500,
        "Ratio": 1.5,
        "Big": 1e21,
        "On": True,
        "Nothing": None,
        "Config": {
            "Env": ["a=b2", "c=d"],
            "Labels": {"z": "1", "a.b": "2"},
            "Volumes": None,
            "Cmd": None,
        },
    },
    frozenset({"Labels", "Volumes"}),
    frozenset({"Cmd", "Env"}),
)


def render(text: str) -> str:
    return Template(text).render(DATA)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("text only", "text only"),
        ("", ""),
        ("{{.Id}}", "sha256:abc"),
        ("{{ .Config.Env }}", "[a=b2 c=d]"),
        ("{{.Size}} {{.Ratio}} {{.Big}} {{.On}} {{.Nothing}}", "1500 1.5 1e+21 true <nil>"),
        ("{{.Config.Labels}}", "map[a.b:2 z:1]"),
        ("{{.Config.Volumes}} {{.Config.Cmd}}", "map[] []"),
        ("{{json .Config.Volumes}} {{json .Config.Cmd}}", "null null"),
        ("{{json .Config.Labels}}", '{"a.b":"2","z":"1"}'),
        ('{{json "<é>"}}', '"<é>"'),
        ("{{.Config.Labels.none}}", "<no value>"),
        ('{{index .Config.Labels "none"}}|{{index .Config.Labels "a.b"}}', "|2"),
        ("{{index .Config.Env 1}}", "c=d"),
        ("{{$.Os}} {{with .Config}}{{$.Os}}{{end}}", "linux linux"),
        ("{{(index .Config.Env 0) | upper}}", "A=B2"),
        ("{{(.Config).Env}}", "[a=b2 c=d]"),
        # Blocks
        ("{{range .Config.Env}}{{.}};{{end}}", "a=b2;c=d;"),
        ("{{range $i, $e := .Config.Env}}{{$i}}{{$e}} {{end}}", "0a=b2 1c=d "),
        ("{{range $e := .Config.Env}}{{$e}} {{end}}", "a=b2 c=d "),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}", "a.b=2 z=1 "),
        ("{{range .Config.Cmd}}x{{else}}none{{end}}", "none"),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ('{{range .Config.Env}}{{if eq . "c=d"}}{{break}}{{end}}{{.}}{{end}}', "a=b2"),
        ('{{range .Config.Env}}{{if eq . "a=b2"}}{{continue}}{{end}}{{.}}{{end}}', "c=d"),
        ("{{if .Config.Cmd}}a{{else if .On}}b{{else}}c{{end}}", "b"),
        ("{{if .Config.Cmd}}a{{else if .Nothing}}b{{else}}c{{end}}", "c"),
        ("{{with .Nothing}}a{{else}}b{{end}}", "b"),
        ("{{with $x := .Os}}{{$x}}{{.}}{{end}}", "linuxlinux"),
        ("{{$x := 5}}{{$x}}{{$x = 6}}{{$x}}", "56"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
        ('{{define "x"}}hi {{.}}{{end}}{{template "x" .Os}}', "hi linux"),
        ('{{block "x" .Os}}hi {{.}}{{end}}', "hi linux"),
        # Space and comments
        ("a  {{- .Os -}}  b", "alinuxb"),
        ("a {{- /* c */ -}} b{{/* d */}}", "ab"),
        ("{{3 -}} x", "3x"),
        ("{{-3}}", "-3"),
        # Constants
        ("{{\"a\\tb\"}}{{`r\\n`}}{{'c'}}", "a\tbr\\n99"),
        ("{{1e3}} {{0x10}} {{1.0}} {{true}}", "1000 16 1 true"),
        # Functions
        ("{{upper .Os}} {{lower `AB`}} {{title `a bc`}}", "LINUX ab A Bc"),
        ("{{.Os | upper | printf `%s!`}}", "LINUX!"),
        ('{{join .Config.Env ","}} {{index (split .Os "n") 1}}', "a=b2,c=d ux"),
        ("{{truncate .Id 3}}|{{pad .Os 1 2}}|{{pad `` 1 2}}|", "sha| linux  ||"),
        ("{{len .Os}} {{len .Config.Env}} {{len .Config.Labels}}", "5 2 2"),
        (
            "{{eq .Os `x` `linux`}} {{ne .Size 1500}} {{lt 1 2}} {{ge 1.5 2}}",
            "true false true false",
        ),
        ("{{and .Os .Size}} {{or .Nothing .Os}} {{not .Os}}", "1500 linux false"),
        ("{{or .Os (index .Config.Env 9)}}", "linux"),
        ("{{print 1 2 `a` `b` 3}}|{{println .Os 1}}", "1 2ab3|linux 1\n"),
        ("{{slice .Os 1 3}} {{html `<a>`}} {{urlquery `a b`}}", "in &lt;a&gt; a+b"),
        ("{{js `it's`}}", "it\\'s"),
        ("{{printf `%-7s|%7d|%q|%v|%x` .Os .Size .Os .On 255}}", 'linux  |   1500|"linux"|true|ff'),
        (
            "{{printf `%5.2f|%05d|%+d|%t|%c|%%|%x` 1.5 42 7 true 65 `a`}}",
            " 1.50|00042|+7|true|A|%|61",
        ),
    ],
)
def test_what_templates_make(text: str, expected: str) -> None:
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("{{.Nope}}", 3, "no field Nope; there are Id, Os"),
        ("{{.Config.Nope}}", 10, "no field Nope; there are Env"),
        ("{{.Os.X}}", 6, "no field X in a string"),
        ("{{.Nothing.X}}", 11, "no field X in nothing"),
        ("ab {{.Os", 4, "not closed by }}"),
        ("{{", 1, "not closed by }}"),
        ("{{}}", 3, "empty"),
        ("{{/* a", 1, "not closed by */"),
        ("{{foo .Id}}", 3, "function 'foo' is not defined"),
        ("{{printf `%s` (foo)}}", 16, "function 'foo' is not defined"),
        ("{{index .Config.Env 9}}", 3, "9 is out of range: there are 2"),
        ("{{upper (index .Config.Env 9)}}", 10, "index: 9 is out of range"),
        ("{{index .Os 1}}", 3, "nothing to index"),
        ("{{end}}", 3, "unexpected {{end}}"),
        ("{{else}}", 3, "unexpected {{else}}"),
        ("{{if .Os}}x", 12, "{{end}} is missing"),
        ("{{if}}x{{end}}", 5, "a value is missing"),
        ("{{range .Os}}x{{end}}", 9, "cannot go over a string"),
        ("{{break}}", 3, "outside of {{range}}"),
        ("{{$y}}", 3, "undefined variable $y"),
        ("{{if true}}{{$y := 1}}{{end}}{{$y}}", 32, "undefined variable $y"),
        ("{{$y = 1}}", 3, "undefined variable $y"),
        ("{{upper}}", 3, "wrong number of arguments"),
        ("{{upper .Size}}", 3, "needs a string, not a number"),
        ("{{join .Os `,`}}", 3, "needs a list"),
        ("{{len .Size}}", 3, "has no length"),
        ("{{eq .Os 1}}", 3, "cannot be compared"),
        ("{{lt .On .On}}", 3, "has no order"),
        ("{{printf `%d` .Os}}", 3, "%d does not fit a string"),
        ("{{printf `%d`}}", 3, "no value for %d"),
        ("{{printf `x` 1}}", 3, "more values"),
        ("{{.Os .Id}}", 7, "no function"),
        ("{{.Os | .Id}}", 9, "no function to pipe into"),
        ("{{nil}}", 3, "nil is not a command"),
        ("{{(.Os}}", 3, "parenthesis is not closed"),
        ('{{"abc}}', 3, "unexpected"),
        ("{{.a-b}}", 5, "unexpected '-'"),
        ("{{template `none`}}", 12, "no template is called 'none'"),
        ("{{define x}}{{end}}", 10, "needs a name in quotes"),
        ('{{define "x"}}{{template "x"}}{{end}}{{template "x"}}', 26, "without end"),
    ],
)
def test_mistakes_have_a_place_and_words(text: str, place: int, words: str) -> None:
    with pytest.raises(TemplateError) as error:
        render(text)
    assert str(error.value).startswith(f"--format: character {place}: ")
    assert words in str(error.value)


@pytest.mark.parametrize(
    "text", ["{{" + "(" * 5000 + "}}", "{{if true}}" * 5000, "{{printf `%99999999d` 1}}"]
)
def test_templates_that_ask_for_too_much(text: str) -> None:
    with pytest.raises(TemplateError, match=r"nested too deeply|too wide"):
        render(text)


def test_no_text_is_too_strange(dice: random.Random) -> None:
    pieces = "{{ }} {{- -}} .Os .Config .Config.Env . $ $x := = | ( ) , 1 1.5 \"a\" `b` 'c' if else"
    pieces += " end range with define template block break continue nil true printf index upper"
    pieces += " join eq and /* */ {{if {{range {{end}} {{else}} %d \\ \n é"
    words = pieces.split(" ")
    done = 0
    for _ in range(20_000):
        text = " ".join(dice.choice(words) for _ in range(dice.randrange(12)))
        with suppress(TemplateError):
            assert isinstance(render(text), str)
            done += 1
    assert done > 0


def test_the_line_is_named_where_there_are_several() -> None:
    with pytest.raises(TemplateError, match=r"^--format: line 2, character 4: no field Nope"):
        render("{{.Os}}\n {{.Nope}}")


HEADERS = {"Name": "NAME", "Size": "SIZE"}
ROWS = [{"Name": "a-long-name", "Size": "1"}, {"Name": "b", "Size": "22"}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "NAME          SIZE\na-long-name   1\nb             22\n"),
        ("table", "NAME          SIZE\na-long-name   1\nb             22\n"),
        ("table {{.Size}}\\t{{.Name}}", "SIZE      NAME\n1         a-long-name\n22        b\n"),
        ("table {{upper .Name}} {{.Size}}", "NAME SIZE\nA-LONG-NAME 1\nB 22\n"),
        ("json", '{"Name":"a-long-name","Size":"1"}\n{"Name":"b","Size":"22"}\n'),
        (
            "{{.Size}}\\t{{json .}}",
            '1\t{"Name":"a-long-name","Size":"1"}\n22\t{"Name":"b","Size":"22"}\n',
        ),
    ],
)
def test_listings(given: str | None, expected: str) -> None:
    assert listing(ROWS, given, HEADERS, "{{.Name}}\t{{.Size}}") == expected


def test_columns_are_at_least_ten_wide_and_the_last_is_as_long_as_it_is() -> None:
    assert aligned(["a\tb", "c\t"]) == "a         b\nc         \n"
