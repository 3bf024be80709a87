"""What the Dockerfile promises, as far as it can be read; tests/deployed runs it."""

import re

from gateway.settings import load
from tests.deploy.dockerfile import context, stages
from tests.deploy.proxies import DEPLOY
from tests.serving import ROOT

TEXT = (DEPLOY / "Dockerfile").read_text("utf-8")
BUILD, FINAL = stages(TEXT)
GIVEN = [path.as_posix() for path in context(ROOT, (ROOT / ".dockerignore").read_text("utf-8"))]


def test_what_is_copied_is_given_to_the_builder() -> None:
    """Each source of a COPY is in the context, and the context has nothing that no COPY takes."""
    sources = [
        source for stage in (BUILD, FINAL) for one in stage.every("COPY") if not one.flags for source in one.words[:-1]
    ]
    for source in sources:
        assert [path for path in GIVEN if path == source or path.startswith(f"{source}/")], source
    assert not [path for path in GIVEN if not any(path == one or path.startswith(f"{one}/") for one in sources)]


def test_nothing_of_a_workplace_goes_into_the_image() -> None:
    """No bytecode, state, tests or keys."""
    assert len(GIVEN) > 100
    assert not [path for path in GIVEN if re.search(r"(^|/)(__pycache__|var|tests|\.venv|\.git|\.env)(/|$)", path)]


def test_everything_is_pinned() -> None:
    """Packages by their hashes, wheels only; the base of both stages is one argument, for a digest."""
    installs = [one.rest for one in BUILD.every("RUN") if "pip install" in one.rest]
    assert "--require-hashes --only-binary :all:" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]
    assert len(installs) == 2
    assert re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE) == ["${PYTHON}", "${PYTHON}"]


def test_the_last_stage_installs_nothing() -> None:
    """It has what the first one made, and no compiler or package of its own; it is not root, by number."""
    assert [one.rest.split()[0] for one in FINAL.every("RUN")] == ["install"]
    user = FINAL.last("USER")
    assert user is not None and re.fullmatch(r"[1-9]\d+:[1-9]\d+", user.rest)


def test_it_is_served_to_others_with_a_key_only() -> None:
    """What it starts with is the service's settings, on every address."""
    settings = load((DEPLOY / "service.toml").read_text("utf-8"), "service.toml", FINAL.environ, base=DEPLOY)
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 8000)
    assert not settings.auth.anonymous


def test_its_health_is_asked_without_a_program_of_others() -> None:
    """By Python, on /livez: a container that lacks something is not restarted for it."""
    health = FINAL.last("HEALTHCHECK")
    assert health is not None
    assert health.words[:2] == ["python", "-c"] and "/livez" in health.words[2]
    assert health.flags["timeout"] == "3s"


def test_what_starts_it_can_be_executed() -> None:
    """git keeps the bit, and the builder takes it over."""
    assert (DEPLOY / "start").stat().st_mode & 0o111 == 0o111
