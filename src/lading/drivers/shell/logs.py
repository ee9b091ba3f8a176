"""What the app's containers say: their lines as they come, and the last ones of services that failed; reads only (pure)."""

from collections.abc import Sequence

from lading.drivers.shell import scripts
from lading.transport import command

# One follower for each container, for `docker logs -f` ends when its container stops, and so does `compose logs -f`. After a
# restart it goes on from the last line that it showed, which `--since` gives once more, and not from the start that Docker
# tells: that lies after the first lines, and a crash loop starts more often than anybody looks. Docker's own lines have no time.
LINES = """STAMP='[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T'
RUN='{{.State.StartedAt}}@{{.State.FinishedAt}}'
follow(){ last=
if [ "$*" = "--tail 0" ]; then last=$(docker logs --timestamps --tail 1 "$id" 2>&1 </dev/null)
case $last in $STAMP*) last=${last%% *}; set -- --since "$last";; *) last=; set --;; esac; fi
while :; do
shown=$last
last=$(docker logs $FOLLOW --timestamps "$@" "$id" 2>&1 </dev/null | { while IFS= read -r line || [ -n "$line" ]; do
case $line in "${shown:-none} "*|Error*"o such container: $id"*) continue;; $STAMP*) last=${line%% *};; esac
printf '%s | %s\\n' "$name" "$line" >&4
done; printf %s "$last"; })
[ -n "$FOLLOW" ] || return
while :; do
now=$(docker inspect -f "$RUN" "$id" 2>&1 </dev/null)
case $now in "$run") ;; *"o such "*) return;; [0-9]*) break;; esac
sleep 1
done
run=$now
set --
[ -z "$last" ] || set -- --since "$last"
done; }
lines(){ known=" "; exec 4>&1; set -- --tail "$TAIL"
while :; do
ids=$(docker ps -aq --no-trunc --filter "label=com.docker.compose.project=$APP" ${SERVICE:+--filter "label=com.docker.compose.service=$SERVICE"}) ||
[ -n "$FOLLOW" ] || printf '%s\n' "$M" >&4
new=
for id in $ids; do case $known in *" $id "*) ;; *) new="$new $id";; esac; done
[ -z "$new" ] || for one in $(docker inspect -f '{{.Id}}@'"$RUN"'@{{index .Config.Labels "com.docker.compose.service"}}-'\\
'{{index .Config.Labels "com.docker.compose.container-number"}}' $new 2>/dev/null); do
id=${one%%@*} name=${one##*@} run=${one#*@}; run=${run%@*} known="$known$id "
follow "$@" &
done
[ -n "$FOLLOW" ] || break
set --; sleep 1
done; wait; }
"""


def logs(marker: str, *, app: str, service: str, follow: bool, tail: int) -> command.Command:
    """The app's log lines, each a part of its own: `SERVICE-NUMBER | TIME TEXT`; *tail* lines per container to begin with.

    *follow*: goes on until stdin ends, over restarts and new containers.
    """
    values: dict[str, str | int] = {"M": marker, "APP": app, "SERVICE": service, "TAIL": tail, "FOLLOW": "-f" if follow else ""}
    script = command.assign(values) + scripts.PRELUDE + scripts.WATCH + LINES + (
        'lines | while IFS= read -r line; do [ "$line" != "$M" ] || refuse engine "$(docker ps -q 2>&1 >/dev/null)"; part log; printf "%s\\n" "$line"; part tick; done\n' + scripts.END
    )
    return command.Command("logs", script, marker, timeout=86400 if follow else 120)


def last_lines(marker: str, *, app: str, services: Sequence[str], count: int = 50) -> command.Command:
    """The last lines of some services, for the report of a failure."""
    script = command.assign({"M": marker, "APP": app}) + scripts.PRELUDE + scripts.WATCH
    for service in services:
        chosen = command.quote(service)
        script += (
            f"part log:{service}\nfor c in $(docker ps -aq --filter \"label=com.docker.compose.project=$APP\" "
            f"--filter label=com.docker.compose.service={chosen}); do docker logs --tail {count} $c 2>&1 </dev/null; done\n"
        )
    return command.Command("last-lines", script + scripts.END, marker, timeout=30)
