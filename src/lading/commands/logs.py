"""What the app's containers say: their lines as they come, and the last ones of services that failed; reads only (pure)."""

from collections.abc import Sequence

from lading.commands import command, files

# One follower for each start of each container: `docker logs -f` ends when its container stops, `compose logs -f` too.
LINES = """lines(){ known=" "; since=
while :; do
ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$APP" ${SERVICE:+--filter "label=com.docker.compose.service=$SERVICE"})
seen=
[ -z "$ids" ] || seen=$(docker inspect -f '{{.Id}}@{{.State.StartedAt}}@{{index .Config.Labels "com.docker.compose.service"}}-'\\
'{{index .Config.Labels "com.docker.compose.container-number"}}' $ids 2>/dev/null)
for one in $seen; do
case $known in *" $one "*) continue;; esac
known="$known$one "; id=${one%%@*}; name=${one##*@}; started=${one#*@}
if [ -n "$since" ]; then set -- --since "${started%@*}"; else set -- --tail "$TAIL"; fi
docker logs $FOLLOW --timestamps "$@" $id 2>&1 </dev/null | sed -u "s/^/$name | /" &
done
[ -n "$FOLLOW" ] || break
since=yes; sleep 1
done; wait; }
"""


def logs(marker: str, *, app: str, service: str, follow: bool, tail: int) -> command.Command:
    """The app's log lines, each a part of its own: `SERVICE-NUMBER | TIME TEXT`; *tail* lines per container to begin with.

    *follow*: goes on until stdin ends, over restarts and new containers.
    """
    values: dict[str, str | int] = {"M": marker, "APP": app, "SERVICE": service, "TAIL": tail, "FOLLOW": "-f" if follow else ""}
    script = command.assign(values) + files.PRELUDE + files.WATCH + LINES + (
        'lines | while IFS= read -r line; do part log; printf "%s\\n" "$line"; part tick; done\n' + files.END
    )
    return command.Command("logs", script, marker, timeout=86400 if follow else 120)


def last_lines(marker: str, *, app: str, services: Sequence[str], count: int = 50) -> command.Command:
    """The last lines of some services, for the report of a failure."""
    script = command.assign({"M": marker, "APP": app}) + files.PRELUDE + files.WATCH
    for service in services:
        chosen = command.quote(service)
        script += (
            f"part log:{service}\nfor c in $(docker ps -aq --filter \"label=com.docker.compose.project=$APP\" "
            f"--filter label=com.docker.compose.service={chosen}); do docker logs --tail {count} $c 2>&1 </dev/null; done\n"
        )
    return command.Command("last-lines", script + files.END, marker, timeout=30)
