"""Settings: from a TOML text and the environment, with every fault at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ConfigurationError, Fault
from gateway.settings import Route, Settings, Target, load, withheld
from gateway.settings.build import dotted
from gateway.settings.lines import marked, nearest

BASE = Path("/srv/gateway")
TARGET = '[routes.main]\n[[routes.main.targets]]\nurl = "http://127.0.0.1:9/v1"\nmodel = "m"\n'


def read(text: str | None = None, *, llm: bool = False, **environ: str) -> Settings:
    """Load with the usual place."""
    return load(text, "gateway.toml", environ, base=BASE, llm=llm)


def refused(text: str | None = None, *, llm: bool = False, **environ: str) -> tuple[Fault, ...]:
    """The faults of a text or environment that must not load."""
    with pytest.raises(ConfigurationError) as caught:
        read(text, llm=llm, **environ)
    return caught.value.faults


def test_nothing_configured_serves_extractive() -> None:
    """Without file and environment the embedded extractive route is there, and it is the default."""
    found = read()
    assert {"extractive": Route((Target(embedded="extractive"),))} == found.routes
    assert found.default_route == "extractive"
    assert (found.server.host, found.server.port) == ("127.0.0.1", 8000)


def test_paths_start_at_the_base() -> None:
    """Relative paths, written or default, start at the base; absolute ones stay."""
    found = read('var = "/var/lib/gateway"\n[knowledge]\ndirectory = "../facts"\n')
    assert Path("/srv/facts") == found.knowledge.directory
    assert Path("/srv/gateway/prompts") == found.prompts
    assert Path("/var/lib/gateway") == found.var
    assert read().knowledge.directory == BASE / "knowledge"
    assert read("[knowledge]\nthreads = 1").var == BASE / "var"


def test_the_environment_wins() -> None:
    """HOST, PORT and GATEWAY_VAR stand over the file; empty variables do not count."""
    text = 'var = "x"\n[server]\nhost = "127.0.0.2"\nport = 9\n'
    found = read(text, HOST="::1", PORT="0", GATEWAY_VAR="state")
    assert ("::1", 0, Path("state")) == (found.server.host, found.server.port, found.var)
    found = read(text, HOST="", PORT=" ", GATEWAY_VAR="")
    assert (found.server.host, found.server.port, found.var) == ("127.0.0.2", 9, BASE / "x")


def test_a_key_alone_defines_openai() -> None:
    """OPENAI_API_KEY defines the route `openai`, which becomes the default; the key is never shown."""
    found = read(OPENAI_API_KEY="sk-secret\n")
    target = found.routes["openai"].targets[0]
    assert (target.url, target.model, target.key) == ("https://api.openai.com/v1", "gpt-4o-mini", "sk-secret")
    assert found.default_route == "openai"
    assert "sk-secret" not in repr(found)


def test_the_base_url_moves_openai() -> None:
    """OPENAI_BASE_URL is where the route `openai` goes; a last slash is dropped."""
    found = read(OPENAI_API_KEY="k", OPENAI_BASE_URL="http://127.0.0.1:9/v1/")
    assert found.routes["openai"].targets[0].url == "http://127.0.0.1:9/v1"


def test_a_file_may_define_openai() -> None:
    """A file's own route `openai` stands over the one of the environment."""
    text = TARGET.replace("main", "openai")
    found = read(text, OPENAI_API_KEY="k")
    assert found.routes["openai"].targets[0].model == "m"
    assert found.default_route == "openai"


def test_the_local_model_is_asked_for() -> None:
    """`llm` adds a patient route, which becomes the default unless the file names one."""
    found = read(llm=True, OPENAI_API_KEY="k")
    assert Route((Target(embedded="llm", first_token=20.0),)) == found.routes["llm"]
    assert found.default_route == "llm"
    assert read('default_route = "extractive"', llm=True).default_route == "extractive"


def test_keys_come_from_the_environment() -> None:
    """A target's key is what its variable holds."""
    found = read(TARGET + 'key_env = "MY_KEY"\n', MY_KEY="abc")
    assert found.routes["main"].targets[0].key == "abc"


def test_all_faults_come_at_once() -> None:
    """One load shows every fault of file and environment, each with its place."""
    text = (
        'defualt_agent = "x"\n'
        "[server]\n"
        'port = "80"\n'
        "[log]\n"
        'format = "xml"\n'
        "[limits]\n"
        "body_bytes = -1\n"
        "[[routes.main.targets]]\n"
        'url = "ftp://example.org"\n'
        "[[routes.main.targets]]\n"
        'url = "http://example.org/v1"\n'
        "frist_token = 1\n"
        'key = "sk-1"\n'
        "[tls]\n"
    )
    assert [(fault.where, fault.line, fault.field) for fault in refused(text, PORT="eighty")] == [
        ("PORT", 0, ""),
        ("gateway.toml", 1, "defualt_agent"),
        ("gateway.toml", 3, "server.port"),
        ("gateway.toml", 5, "log.format"),
        ("gateway.toml", 7, "limits.body_bytes"),
        ("gateway.toml", 9, "routes.main.targets[0].url"),
        ("gateway.toml", 12, "routes.main.targets[1].frist_token"),
        ("gateway.toml", 13, "routes.main.targets[1].key"),
        ("gateway.toml", 14, "tls"),
    ]


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        ("[server]\nprot = 1", "server.prot", "did you mean 'port'?"),
        (
            "[server]\nqqqq = 1",
            "server.qqqq",
            "known: drain_notice, drain_timeout, host, port, trusted_proxies, workers, write_timeout",
        ),
        ("server = 3", "server", "must be a table, not a whole number"),
        ("[server]\nport = 65536", "server.port", "0 at least and 65535 at most, not 65536"),
        ("[server]\nport = true", "server.port", "must be a whole number, not true or false"),
        ("[server]\nport = 1e3", "server.port", "must be a whole number, not a number"),
        ("[server]\nwrite_timeout = 0", "server.write_timeout", "more than 0"),
        ("[server]\nwrite_timeout = nan", "server.write_timeout", "more than 0"),
        ("[server]\nwrite_timeout = inf", "server.write_timeout", "3600 at most"),
        ('[server]\nhost = "a b"', "server.host", "an address or a host's name"),
        ("[server]\nhost = 127", "server.host", "must be text, not a whole number (put it in quotes)"),
        ('[cors]\norigins = "*"', "cors.origins", "must be a list, not text"),
        ('[cors]\norigins = ["https://a.example/x"]', "cors.origins[0]", "without a path"),
        ('[cors]\norigins = ["*", "*"]', "cors.origins[1]", "stands there twice"),
        ('[log]\nformat = "xml"', "log.format", "must be one of auto, json, text, not 'xml'"),
        ('prompts = "a\\u0000b"', "prompts", "NUL"),
        ("[[routes.Main.targets]]", "routes.Main", "small letters"),
        ("[routes.main]\non_failure = 'shout'", "routes.main.on_failure", "must be one of speak, error"),
        ("[routes.main]", "routes.main.targets", "[[routes.main.targets]]"),
        ("[[routes.main.targets]]", "routes.main.targets[0]", "exactly one of url and embedded"),
        ("[routes.extractive]", "routes.extractive", "embedded = 'extractive'"),
        (TARGET + "embedded = 'llm'", "routes.main.targets[0]", "exactly one"),
        (TARGET + "pace = 3.0", "routes.main.targets[0].pace", 'embedded = "extractive"'),
        ("[[routes.main.targets]]\nembedded = 'llm'\npace = 3", "routes.main.targets[0].pace", "a pace of its own"),
        ("[[routes.main.targets]]\nembedded = 'extractive'\npace = -1", "routes.main.targets[0].pace", "0 at least"),
        (
            "[[routes.main.targets]]\nembedded = 'extractive'\npace = 0.01",
            "routes.main.targets[0].pace",
            "0.1 at least",
        ),
        ("[store]\nturns = -1", "store.turns", "0 at least"),
        ("[store]\nkept_days = 0", "store.kept_days", "1 at least"),
        (TARGET + "key_env = 'NOT_SET'", "routes.main.targets[0].key_env", "NOT_SET is not set"),
        (TARGET + "key_env = 'sk-1'", "routes.main.targets[0].key_env", "name of an environment variable"),
        (TARGET + "total = 1", "routes.main.targets[0].total", "less than first_token (3)"),
        (TARGET + "connect = -1", "routes.main.targets[0].connect", "more than 0"),
        (TARGET + TARGET.split("\n", 1)[1], "routes.main.targets[1]", "stands there twice"),
        ("default_route = 'mainn'\n" + TARGET, "default_route", "did you mean 'main'?"),
        ("default_route = 'llm'", "default_route", "with --llm or --gguf only"),
        ("[server]\nhost = '0.0.0.0'\n[auth]\nanonymous = true", "auth.anonymous", "gateway keys create"),
        ("[server]\ntrusted_proxies = ['10.0.0.0/8', '10.0.0.0/99']", "server.trusted_proxies[1]", "a network such as"),
        ("[admin]\nlisten = 'gateway.example:9000'", "admin.listen", "an address or localhost"),
        ("[admin]\nlisten = '127.0.0.1:0'", "admin.listen", "a port from 1 to 65535"),
        ("[admin]\nlisten = '127.0.0.1:8000'", "admin.listen", "where everything else listens"),
        ("a = ", "", "is no TOML"),
        ("a = 1\na = 2", "", "Cannot overwrite a value"),
    ],
)
def test_a_fault_says_what_would_be_right(text: str, field: str, says: str) -> None:
    """A wrong setting is named by its path, with what would be right."""
    faults = refused(text)
    assert field in [fault.field for fault in faults]
    assert says in "\n".join(fault.problem for fault in faults)


@pytest.mark.parametrize(
    "url",
    [
        "api.openai.com/v1",
        "http://",
        "http://[::1/v1",
        "http://h:99999/v1",
        "http://user:pw@h/v1",
        "http://h/v1?key=1",
        "http://h/v1/chat/completions",
        "http://h/v1 ",
        "https://ü.example/v1",
    ],
)
def test_a_url_that_cannot_serve_is_refused(url: str) -> None:
    """What `/chat/completions` cannot be put behind is a fault of the setting, before anybody calls."""
    assert "routes.main.targets[0].url" in [f.field for f in refused(TARGET.replace("http://127.0.0.1:9/v1", url))]


@pytest.mark.parametrize(
    ("environ", "where"),
    [
        ({"PORT": "-1"}, "PORT"),
        ({"PORT": "70000"}, "PORT"),
        ({"HOST": "a b"}, "HOST"),
        ({"GATEWAY_VAR": "a\0b"}, "GATEWAY_VAR"),
        ({"OPENAI_API_KEY": "sk secret"}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "localhost:11434"}, "OPENAI_BASE_URL"),
        ({"OPENAI_BASE_URL": "nowhere"}, "OPENAI_BASE_URL"),
    ],
)
def test_a_bad_variable_is_named(environ: Mapping[str, str], where: str) -> None:
    """A wrong environment variable is a fault with its name, and no key is shown."""
    with pytest.raises(ConfigurationError) as caught:
        load(None, "", environ, base=BASE)
    faults = caught.value.faults
    assert where in [fault.where for fault in faults]
    assert "sk secret" not in str(faults)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_a_loopback_host_is_served(host: str) -> None:
    """Nobody needs a key where only this machine can call."""
    assert read(HOST=host).server.host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "gateway.example.org", "localhost.evil.example"])
def test_any_other_host_is_served_to_those_with_a_key(host: str) -> None:
    """The world may call, and nobody without a key may chat; to ask for that in writing is a fault."""
    assert not read(HOST=host).auth.anonymous
    assert [fault.field for fault in refused("[auth]\nanonymous = true", HOST=host)] == ["auth.anonymous"]


@pytest.mark.parametrize(
    ("tunnel", "public"),
    [("cloudflared tunnel --url {url}", ""), (None, "https://gateway.example.org"), ("lt", "http://127.0.0.1:9")],
)
def test_what_lets_others_in_lets_in_nobody_without_a_key(tunnel: str | None, public: str) -> None:
    """Through a tunnel, or where a public URL leads here, the world calls from a loopback address."""
    found = load(None, "", {"GATEWAY_PUBLIC_URL": public}, base=BASE, tunnel=tunnel)
    assert found.exposed and not found.auth.anonymous and found.tunnel == (tunnel or "")


def test_anonymous_callers_can_be_asked_for_behind_a_public_url_and_not_behind_a_tunnel() -> None:
    """What stands before a public URL may have a guard of its own; a tunnel has none, so it is a fault there."""
    text = "[auth]\nanonymous = true"
    found = load(text, "", {"GATEWAY_PUBLIC_URL": "https://gateway.example.org"}, base=BASE)
    assert found.exposed and found.auth.anonymous
    with pytest.raises(ConfigurationError) as caught:
        load(text, "", {}, base=BASE, tunnel="lt --port {port}")
    assert [fault.field for fault in caught.value.faults] == ["auth.anonymous"]
    assert "through a tunnel" in caught.value.faults[0].problem


def test_a_public_url_on_this_machine_lets_nobody_in() -> None:
    """A sandbox's public URL is this machine's own, and changes nothing."""
    found = load(None, "", {"GATEWAY_PUBLIC_URL": "http://127.0.0.1:8000"}, base=BASE)
    assert not found.exposed and found.auth.anonymous


def test_a_loopback_host_can_ask_for_keys() -> None:
    """Behind a tunnel the whole world calls from a loopback address."""
    assert read().auth.anonymous and not read("[auth]\nanonymous = false").auth.anonymous


@pytest.mark.parametrize("wrong", ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://"])
def test_a_collector_is_a_url_of_http(wrong: str) -> None:
    """Without one there are no traces; one that cannot be spoken to is a fault at start, not a line at every turn."""
    assert read().otlp_endpoint == ""
    assert read(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318").otlp_endpoint == "http://127.0.0.1:4318"
    with pytest.raises(ConfigurationError) as caught:
        read(OTEL_EXPORTER_OTLP_ENDPOINT=wrong)
    assert [fault.where for fault in caught.value.faults] == ["OTEL_EXPORTER_OTLP_ENDPOINT"]


def test_what_must_never_be_shown_is_known() -> None:
    """Keys of targets, the admin key, the secret, the password in the store's URL, and what a collector is told."""
    found = read(
        TARGET + 'key_env = "MY_KEY"\n',
        MY_KEY="target-key",
        GATEWAY_ADMIN_KEY="a" * 16,
        GATEWAY_SECRET="s" * 32,
        REDIS_URL="redis://user:p%40ss-word@127.0.0.1:6379/0",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Basic%20c2VjcmV0,x-scope=team-one",
    )
    assert set(withheld(found)) == {
        "target-key", "a" * 16, "s" * 32, "p@ss-word", "Basic c2VjcmV0", "team-one",
    }  # fmt: skip
    assert withheld(read()) == []


def test_lines_are_found() -> None:
    """Tables, repeated tables, dotted and quoted keys have their line; what has none has its table's."""
    text = (
        'a.b = 1\n"c d" = """\n[no]\nx = 1\n"""\n[t]\nk = { i = 1 }\n'
        "[[r.m.targets]]\n[[r.m.targets]]\nurl = 1\n[r.m.targets.s]\nz = 1\n"
    )
    marks = marked(text)
    assert marks == {
        ("a", "b"): 1,
        ("c d",): 2,
        ("t",): 6,
        ("t", "k"): 7,
        ("r", "m", "targets", 0): 8,
        ("r", "m", "targets", 1): 9,
        ("r", "m", "targets", 1, "url"): 10,
        ("r", "m", "targets", 1, "s"): 11,
        ("r", "m", "targets", 1, "s", "z"): 12,
    }
    assert nearest(marks, ("t", "k", "i")) == 7
    assert nearest(marks, ("nowhere",)) == 0
    assert dotted(("r", "m", "targets", 2, "url")) == "r.m.targets[2].url"


SCRAPS = st.sampled_from(
    [
        "[server]",
        "[[routes.a.targets]]",
        "[routes]",
        "port = ",
        "url = ",
        "1",
        "[",
        "]",
        "{",
        '"',
        "'''",
        "x",
        "=",
        "\n",
        ".",
        "é",
        "1e999",
        "9" * 5000,
        "2020-01-01",
        "true",
        "key_env = 'K'",
        "[cors]\norigins = [1, 'x']",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    text=st.one_of(st.text(), st.lists(SCRAPS).map("".join), st.lists(SCRAPS).map("\n".join)),
    environ=st.dictionaries(
        st.sampled_from(["HOST", "PORT", "GATEWAY_VAR", "OPENAI_API_KEY", "OPENAI_BASE_URL"]), st.text()
    ),
    llm=st.booleans(),
)
def test_load_raises_nothing_else(text: str, environ: dict[str, str], llm: bool) -> None:
    """Whatever is written, load gives settings or a ConfigurationError."""
    try:
        found = load(text, "gateway.toml", environ, base=BASE, llm=llm)
    except ConfigurationError as error:
        faults = error.faults
    else:
        faults = ()
        assert found.default_route in found.routes
    assert all(fault.problem for fault in faults)


def test_nesting_is_no_crash() -> None:
    """A text nested without end is a fault."""
    assert "nested too deeply" in refused("a = " + "[" * 100_000)[0].problem
