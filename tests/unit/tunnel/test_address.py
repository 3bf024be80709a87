"""The public URL in what tunnels write."""

import pytest

from gateway.tunnel import address

LINES = [
    # cloudflared tunnel --url http://127.0.0.1:8000
    ("2026-11-24T09:00:01Z INF Requesting new quick Tunnel on trycloudflare.com...", ""),
    (
        "INF Thank you for trying Cloudflare Tunnel. Terms of Use (https://www.cloudflare.com/website-terms/)",
        "",
    ),
    (
        "named tunnel by following: https://developers.cloudflare.com/cloudflare-one/connections/connect-apps",
        "",
    ),
    (
        "2026-11-24T09:00:04Z INF |  https://leaf-otter-quiet-mill.trycloudflare.com                     |",
        "https://leaf-otter-quiet-mill.trycloudflare.com",
    ),
    ("2026-11-24T09:00:04Z INF Settings: map[ha-connections:1 protocol:quic url:http://127.0.0.1:8000]", ""),
    (
        'ERR failed to request quick Tunnel: Post "https://api.trycloudflare.com/tunnel": context deadline exceeded',
        "",
    ),
    # ngrok http 8000 --log stdout
    ('t=2026-11-24T09:00:00+0000 lvl=info msg="open config file" path=/etc/ngrok.yml err=nil', ""),
    ('t=2026-11-24T09:00:00+0000 lvl=info msg="starting web service" obj=web addr=127.0.0.1:4040', ""),
    (
        'lvl=info msg="started tunnel" obj=tunnels addr=http://localhost:8000 url=https://2a01-4f8.ngrok-free.app',
        "https://2a01-4f8.ngrok-free.app",
    ),
    (
        "lvl=info msg=started addr=http://localhost:8000 url=https://brain.example.org",
        "https://brain.example.org",
    ),
    (
        "Forwarding                    https://2a01-4f8.ngrok-free.app -> http://localhost:8000",
        "https://2a01-4f8.ngrok-free.app",
    ),
    ("Web Interface                 http://127.0.0.1:4040", ""),
    ("ERROR:  https://ngrok.com/docs/errors/err_ngrok_4018", ""),
    # lt --port 8000
    ("your url is: https://quiet-mill-12.loca.lt", "https://quiet-mill-12.loca.lt"),
    # bore local 8000 --to bore.pub
    ("2026-11-24T09:00:00.1Z  INFO bore_cli::client: connected to server remote_port=41234", ""),
    ("\x1b[2m2026-11-24T09:00:00Z\x1b[0m \x1b[32m INFO\x1b[0m listening at bore.pub:41234", "http://bore.pub:41234"),
    # ssh -R 80:localhost:8000 serveo.net
    (
        "\x1b[32mForwarding HTTP traffic from https://0a1b2c3d.serveo.net\x1b[0m",
        "https://0a1b2c3d.serveo.net",
    ),
    # ssh -R 80:localhost:8000 nokey@localhost.run
    ("Follow your favourite reverse tunnel at [https://twitter.com/localhost_run].", ""),
    ("To set up and manage custom domains go to https://admin.localhost.run/", ""),
    ("create a free tunnel without a key at http://localhost:3000/docs/faq#generating-an-ssh-key.", ""),
    ("https://localhost.run/docs/", ""),
    (
        "0a1b2c3d.lhr.life tunneled with tls termination, https://0a1b2c3d.lhr.life",
        "https://0a1b2c3d.lhr.life",
    ),
    # ssh -R 0:localhost:8000 a.pinggy.io
    ("http://rnabc-1-2-3-4.a.free.pinggy.link", "http://rnabc-1-2-3-4.a.free.pinggy.link"),
    ("https://rnabc-1-2-3-4.a.free.pinggy.link", "https://rnabc-1-2-3-4.a.free.pinggy.link"),
    # devtunnel host -p 8000 --allow-anonymous
    (
        "Connect via browser: https://0a1b2c3d.euw.devtunnels.ms:8000, https://0a1b2c3d-8000.euw.devtunnels.ms",
        "https://0a1b2c3d.euw.devtunnels.ms:8000",
    ),
    ("Inspect network activity: https://0a1b2c3d-8000-inspect.euw.devtunnels.ms", ""),
    # tailscale funnel 8000
    ("https://brain.tail1234.ts.net/", "https://brain.tail1234.ts.net"),
    ("|-- proxy http://127.0.0.1:8000", ""),
    # one's own script
    ("https://brain.example.org", "https://brain.example.org"),
    ("http://127.0.0.1:40111/", "http://127.0.0.1:40111"),
    ("public url: https://brain.example.org/", "https://brain.example.org"),
    ("see https://brain.example.org for the terms", ""),
    ("https://user:word@brain.example.org", ""),
    ("https://brain.example.org:99999", ""),
    ("https://[", ""),
    ("", ""),
]


@pytest.mark.parametrize(("line", "url"), LINES)
def test_a_line_gives_the_public_url_or_none(line: str, url: str) -> None:
    """What cloudflared, ngrok, localtunnel, bore, serveo, localhost.run and others write beside it is no public URL."""
    assert address(line) == url
