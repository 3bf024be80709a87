"""What stands in where the page's commands meet what cannot be here: systemd, apt, certbot, Prometheus.

Each does what the page needs of it, as it is told there: systemd's has the commands, environment, state directory and
limits of the unit; Prometheus asks the target of its configuration once, with the key that it finds, as its own user.
"""

from pathlib import Path

NAME = "gateway.example.org"
LIVE = f"/etc/letsencrypt/live/{NAME}"
LOG = "/var/log/simli-gateway.log"
STATUS = "/run/simli-gateway.status"
"""The service's exit status, once it has ended."""
SCRAPED = "/var/log/scraped"
SYSTEMCTL = f"""#!/bin/sh
set -eu
state=/var/lib/simli-gateway
unit=/etc/systemd/system/simli-gateway.service
told() {{ sed -n "s/^$1=//p" "$unit"; }}
main() {{ cat /run/simli-gateway.pid; }}
as_told() {{
    unshare --mount sh -c '
        echo $$ > /run/simli-gateway.pid
        mount --bind "$0" "$0"
        mount -o remount,bind,ro /
        mount -t tmpfs tmpfs /tmp
        cd "$0"
        exec setpriv --reuid 61234 --regid 61234 --clear-groups --no-new-privs --bounding-set=-all "$@"
    ' "$state" env -i PATH=/usr/bin:/bin $(told Environment) $(cat "$(told EnvironmentFile)") "$@"
}}
start() {{
    rm -f {STATUS}
    install -d -o 61234 -g 61234 -m "$(told StateDirectoryMode)" "/var/lib/$(told StateDirectory)"
    as_told $(told ExecStartPre | sed 's/^-//') || true
    {{ as_told $(told ExecStart) && ended=$? || ended=$?; echo "$ended" > {STATUS}; }} >> {LOG} 2>&1 &
}}
stop() {{
    kill "$(main)"
    while [ ! -e {STATUS} ]; do sleep 0.1; done
}}
scraped() {{
    cd /etc/prometheus
    file=$(sed -n 's/.*credentials_file: //p' prometheus.yml)
    key=$(setpriv --reuid 61235 --regid prometheus --clear-groups cat "$file")
    target=$(sed -n '/targets:/{{n;s/.*- //p}}' prometheus.yml)
    [ -e "$(sed -n '/rule_files:/{{n;s/.*- //p}}' prometheus.yml)" ]
    curl -fsS -H "Authorization: Bearer $key" "http://$target/metrics" > {SCRAPED}
}}
case "$*" in
    "enable --now simli-gateway") start ;;
    "restart simli-gateway") stop; start ;;
    "reload simli-gateway") MAINPID=$(main) sh -c "$(told ExecReload)" ;;
    "kill --kill-whom=main --signal=USR2 simli-gateway") kill -USR2 "$(main)" ;;
    "stop simli-gateway") stop ;;
    "restart prometheus") scraped ;;
    "start nginx") nginx ;;
    "reload nginx") nginx -s reload ;;
    *) echo "systemctl $* is not known here" >&2; exit 1 ;;
esac
"""
APT = """#!/bin/sh
case "$*" in *" prometheus"*) groupadd -fr prometheus; install -d /etc/prometheus ;; esac
"""
CERTBOT = f"#!/bin/sh\nmkdir -p {LIVE} && cp /root/given/* {LIVE}/\n"
SCRIPTS = {"systemctl": SYSTEMCTL, "certbot": CERTBOT, "apt-get": APT}


def installed(upper: Path) -> None:
    """Put them before the real ones in an overlay's upper layer."""
    local = upper / "usr" / "local" / "sbin"
    local.mkdir()
    for name, text in SCRIPTS.items():
        (local / name).write_text(text)
        (local / name).chmod(0o755)
