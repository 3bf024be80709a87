"""Which public URLs Simli can be given."""

import pytest

from gateway.orchestration.publicity import refusal

GOOD = [
    "https://gateway.example.org",
    "https://gateway.example.org:8443",
    "https://gateway.example.org/brain",
    "https://abc-def.trycloudflare.com",
    "https://bücher.example.com",
    "https://8.8.8.8",
    "https://[2606:4700:4700::1111]",
    "https://example.org.",
]
BAD = {
    "": "there is no public URL",
    "gateway.example.org": "no http or https URL",
    "ftp://gateway.example.org": "no http or https URL",
    "https://": "no http or https URL",
    "https://gateway.example.org:0": "no http or https URL",
    "https://gateway.example.org:99999": "no URL",
    "https://[::1": "no URL",
    "http://gateway.example.org": "by http",
    "http://bore.pub:41234": "by http",
    "https://user:planted@gateway.example.org": "a name or password",
    "https://gateway.example.org?token=planted": "a query",
    "https://gateway.example.org#part": "a query",
    "https://gateway.example.org/agents/nora/v1/chat/completions": "leave off /agents/nora/v1/chat/completions",
    "https://gateway.example.org/v1/": "leave off /v1",
    "https://gateway.example.org/k/planted/agents": "leave off /k/…",
    "https://localhost:8000": "this machine's own name",
    "https://a.localhost": "this machine's own name",
    "https://127.0.0.1:8000": "this machine's own",
    "https://127.1": "this machine's own",
    "https://2130706433": "this machine's own",
    "https://0x7f.1": "this machine's own",
    "https://[::1]:8000": "this machine's own",
    "https://[::ffff:127.0.0.1]": "this machine's own",
    "https://0.0.0.0": "no address of the internet",
    "https://10.0.0.8": "no address of the internet",
    "https://172.20.0.1": "no address of the internet",
    "https://192.168.1.2": "no address of the internet",
    "https://169.254.169.254": "no address of the internet",
    "https://100.64.0.1": "no address of the internet",
    "https://203.0.113.7": "no address of the internet",
    "https://224.0.0.1": "no address of the internet",
    "https://[fe80::1]": "no address of the internet",
    "https://[fd00::1]": "no address of the internet",
    "https://[2002:0a00:0001::]": "no address of the internet",
    "https://gateway": "a private network",
    "https://gateway.local": "a private network",
    "https://gateway.internal": "a private network",
    "https://gateway.home.arpa.": "a private network",
    "https://brain.default.svc": "a private network",
    "https://gate way.example.org": "no name of a host",
    "https://-.example.org": "no name of a host",
}


@pytest.mark.parametrize("url", GOOD)
def test_what_simli_can_be_given(url: str) -> None:
    """https to a name or an address of the internet, with a port or a path or none."""
    assert refusal(url, local=False) == ""


@pytest.mark.parametrize("url", BAD)
def test_what_simli_cannot_be_given(url: str) -> None:
    """Each is refused with its own reason and what to do, and what may be secret in it is not repeated."""
    says = refusal(url, local=False)
    assert BAD[url] in says and "planted" not in says
    assert ";" in says


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:8000", "http://localhost:8000", "http://gateway.internal", "https://10.0.0.8"]
)
def test_a_sandbox_on_this_machine_takes_what_this_machine_reaches(url: str) -> None:
    """http, loopback and private addresses are fine there."""
    assert refusal(url, local=True) == ""


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://user:planted@127.0.0.1", "http://127.0.0.1/v1"])
def test_what_is_no_url_is_none_for_a_sandbox_either(url: str) -> None:
    """A path cannot be put behind everything."""
    assert refusal(url, local=True)
