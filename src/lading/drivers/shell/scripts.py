"""lading's files on a host: state folder, lease and fence, journal, current; as POSIX sh (pure).

Shell variables of every script: M marker, APP, STATE (configured), AT (as a host told it before), E (what its engine said before), S state folder, A app folder, D deployment, F fence,
T time-out. fd 9 is `op.lock`, inherited by what a changing command starts, so that the lock lives as long as it does.
"""

from lading.compose import probe

PRELUDE = """set -u
LC_ALL=C; export LC_ALL
part(){ printf '\\n%s %s\\n' "$M" "$1"; }
refuse(){ part refused; printf '%s\\n' "$@"; part end; exit 40; }
now(){ date -u +%Y-%m-%dT%H:%M:%SZ; }
uptime(){ read -r up _ </proc/uptime; up=${up%%.*}; read -r boot </proc/sys/kernel/random/boot_id; }
"""

# One `docker info` a script, which tells all there is to know: it takes ten times what `docker ps` does. `said NAME` finds a
# line of it, as v; the shell does it by itself, for each program that a look starts costs a host more than all it reads.
ENGINE = """engine(){ [ -z "${E:-}" ] || return 0
E=$(docker info -f 'engine={{.ServerVersion}}
id={{.ID}}
arch={{.Architecture}}
ctx={{.ClientInfo.Context}}
{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}plugin={{.Version}}{{end}}{{end}}
runtimes={{range $name, $one := .Runtimes}}{{$name}} {{end}}
root={{.DockerRootDir}}' 2>&1); EC=$?; }
said(){ v="
$E
"; case $v in *"
$1="*) v=${v#*"
$1="}; v=${v%%"
"*};; *) v=;; esac; }
"""

STATE_DIR = ENGINE + """if [ "$STATE" != auto ]; then S=$STATE; umask 007
elif [ -d /var/lib/lading ] && [ -w /var/lib/lading ]; then S=/var/lib/lading; umask 007
else umask 077
if [ -n "${AT:-}" ]; then S=$AT
else engine; said id; I=; while [ -n "$v" ]; do I=$I${v%%:*}; case $v in *:*) v=${v#*:};; *) v=;; esac; done
S=$HOME/.lading/${I:-none}; fi; fi
A=$S/apps/$APP
"""

WATCH = """exec 3<&0
( cat <&3; kill -TERM 0 ) 9>&- >/dev/null 2>&1 &
watcher=$!
"""

END = """part end
kill $watcher 2>/dev/null
exit 0
"""

LEASE = """read_lease(){ l_deployment= l_fence=0 l_boot= l_expires=0 l_state=free
[ -f "$A/lease" ] || return 0
while IFS='=' read -r k v; do case $k in
deployment) l_deployment=$v;; fence) l_fence=$v;; boot) l_boot=$v;; expires) l_expires=$v;; state) l_state=$v;; esac
done <"$A/lease"; }
write_lease(){ printf 'deployment=%s\\nfence=%s\\nboot=%s\\nexpires=%s\\nstate=%s\\nholder=%s\\nsince=%s\\nurl=%s\\n' \\
"$D" "$F" "$boot" "$1" "$2" "$HOLDER" "$SINCE" "$URL" >"$A/lease.new" && mv "$A/lease.new" "$A/lease"; }
jot(){ printf '{"at":"%s",%s\\n' "$(now)" "${1#?}" >>"$A/journal" && { sync "$A/journal" 2>/dev/null || sync; }; }
"""

GUARD = """exec 9>>"$A/op.lock"
flock -w 3 9 || refuse busy "$(sed 1q "$A/op.info" 2>/dev/null)"
exec 8>>"$A/lease.lock"; flock -w 10 8 || refuse busy "the lease file is locked"
read_lease; uptime
[ "$l_deployment" = "$D" ] && [ "$l_fence" = "$F" ] && [ "$l_state" = held ] || refuse fence "$(cat "$A/lease" 2>/dev/null)"
write_lease $((up + T + 30)) held; exec 8>&-
printf '%s %s since %s, pid %s\\n' "$D" "$STEP" "$(now)" $$ >"$A/op.info"
[ "$CHANGES" = 1 ] || printf 'ends %s\\n' $PPID >>"$A/op.info"
"""

# What a dead controller left: an upload or a pull whose connection is half-open would wait for its own time-out.
# $PPID of a script is its `timeout`, which passes the signal on; a command that changes containers is never ended, but waited
# for as containers need to stop: `resume` right after a controller died meets it. Locks in GUARD's order, the lease read anew.
END_IT = """end_it(){ p=$(sed -n 's/^ends //p' "$A/op.info" 2>/dev/null); [ -n "$p" ] || return 1
case $(tr '\\0' ' ' <"/proc/$p/cmdline" 2>/dev/null) in timeout*) kill -TERM "$p" 2>/dev/null;; esac; }
"""

TAKE = END_IT + """mkdir -p "$A/releases" "$A/objects" "$A/project" 2>/dev/null || refuse state "cannot write $A"
[ -f "$S/format" ] || printf '1\\n' >"$S/format"
[ "$(cat "$S/format")" = 1 ] || refuse format "$(cat "$S/format")"
[ -d "$A/secrets" ] || mkdir "$A/secrets"
[ "$S" = /var/lib/lading ] || chmod 700 "$A/secrets"
: >>"$A/op.lock" 2>/dev/null && : >>"$A/journal" 2>/dev/null || refuse state "cannot write $A"
free_for_us(){ exec 8>>"$A/lease.lock"; flock -w 10 8 || refuse busy "the lease file is locked"
read_lease; uptime
if [ "$l_state" = held ] && [ "$l_deployment" != "$D" ] && [ "$l_boot" = "$boot" ] && [ "$l_expires" -gt "$up" ] \\
&& [ "$TAKE" != 1 ]; then refuse held "$(cat "$A/lease")" "left=$((l_expires - up))"; fi; }
free_for_us; exec 8>&- 9>>"$A/op.lock"
w=$((3 * GRACE)); [ $w -le 30 ] || w=30
flock -n 9 || { end_it && w=15; flock -w $w 9; } || refuse busy "$(sed 1q "$A/op.info" 2>/dev/null)"
free_for_us
F=$((l_fence + 1))
write_lease $((up + 90)) held || refuse state "cannot write $A"
exec 8>&-
"""

# Compose makes a new container beside the old one, as OLDID_NAME, removes the old one and renames the new one. Where it was
# killed in between, the old one counts; once that is gone, the new one has its anonymous volumes, and its name.
LEFTOVERS = """leftovers(){ docker ps -a --no-trunc --filter "label=com.docker.compose.project=$APP" --filter status=created \\
--format '{{.ID}} {{.Names}}' | while read -r id name; do case $name in
[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]_*)
if docker container inspect "${name%%_*}" >/dev/null 2>&1; then docker rm "$id" >/dev/null; else docker rename "$id" "${name#*_}"; fi;;
esac; done; }
"""

QUIET = LEFTOVERS + """look(){ docker ps -a --no-trunc --filter "label=com.docker.compose.project=$APP" --format '{{.ID}} {{.Names}} {{.State}}' | sort; }
if [ "$l_state" = held ] && [ "$l_deployment" != "$D" ] && [ "$l_boot" = "$boot" ]; then
n=0; old=; new=$(look)
while [ "$old" != "$new" ] && [ $n -lt 6 ]; do old=$new; sleep "$GRACE"; new=$(look); n=$((n + 1)); done
fi
docker ps -a --no-trunc --format '{{.ID}} {{.Label "com.docker.compose.project"}} {{.Label "com.docker.compose.oneoff"}}' |
while read -r id p one; do case "$one $p" in "True $APP"-hook-*)
docker rm -f "$id" >/dev/null; docker network prune -f --filter "label=com.docker.compose.project=$p" >/dev/null;; esac; done
leftovers
"""

FREE = """exec 8>>"$A/lease.lock"; flock -w 10 8
uptime; write_lease 0 free; exec 8>&-
rm -rf "$A/op.info" "$A"/incoming.* "$A/tar.err" "$A/config.err" "$A/hook.yaml" "/dev/shm/lading.$APP".* "${XDG_RUNTIME_DIR:-/nowhere}/lading.$APP".*
"""

REGISTRIES = """part registries
for r in $REGISTRIES; do ( e=$(timeout 15 docker pull -q "$r/lading-check:none" 2>&1 >/dev/null)
printf '%s %s\\n' "$r" "$(printf '%s\\n' "$e" | tail -n 1)" ) & probes="${probes:-} $!"; done
for p in ${probes:-}; do wait $p; done
"""

READS = f"""part probe
docker compose {probe.OPTIONS} config --no-path-resolution 2>/dev/null <<'PROBE' || printf 'refused\\n'
{probe.FILE}PROBE
"""

APP_STATE = """app_state(){ A=$S/apps/$1
[ -d "$A" ] || return 0
part "app:$1"
[ ! -e "$A/current" ] || { part "current:$1"; cat "$A/current" 2>/dev/null; }
part "lease:$1"; cat "$A/lease" 2>/dev/null; uptime; printf 'nowboot=%s\\nnow=%s\\n' "$boot" "$up"
part "journal:$1"; tail -n 500 "$A/journal" 2>/dev/null
if ! ( exec 9>>"$A/op.lock"; flock -n 9 ) 2>/dev/null; then part "busy:$1"; sed 1q "$A/op.info" 2>/dev/null; fi
for r in "$A"/releases/*/release.json; do [ -f "$r" ] || continue
d=${r%/release.json}; part "release:$1:${d##*/}"; cat "$r"
[ ! -e "$d/deployed.json" ] || { part "deployed:$1:${d##*/}"; cat "$d/deployed.json" 2>/dev/null; }; done
part "objects:$1"; for o in "$A"/objects/*; do [ ! -e "$o" ] || printf '%s\\n' "${o##*/}"; done
part "secrets:$1"
for s in "$A"/secrets/*/*; do [ -f "$s" ] || continue; d=${s%/*}
h=$({ printf '%s' "$NONCE"; cat "$s"; } | sha256sum); printf '%s %s %s\\n' "${d##*/}" "${s##*/}" "${h%% *}"; done
c=$(sed -n 's/.*"release":"\\([0-9a-f]*\\)".*/\\1/p' "$A/current" 2>/dev/null)
[ -d "$A/releases/$c" ] || c=$(printf %.12s "$c")
if [ -n "$c" ] && [ -d "$A/releases/$c" ]; then part "sums:$1:$c"; ( cd "$A" && find "releases/$c" objects -type f -exec sha256sum {} + ); fi; }
"""

# What containers wrote for themselves alone cannot be looked into, and counts as something.
HOST_DATA = """part data
printf '%s\\n' "$DATA" | while IFS= read -r p; do d=$S/apps/$APP/project/$p
if [ -z "$p" ] || [ ! -e "$d" ]; then continue; fi
if [ -d "$d" ] && e=$(ls -A "$d" 2>/dev/null) && [ -z "$e" ]; then printf 'empty %s\\n' "$p"; else printf 'filled %s\\n' "$p"; fi; done
"""

# Whose the other apps are: one of the same source under another name is the same app.
OTHERS = 'part others; cat "$S"/apps/*/current 2>/dev/null\n'

# `gone PATH`: it does not exist. What lies in a folder that the SSH user may not enter (/var/lib/docker) is the engine's to see.
GONE = """gone(){ [ ! -e "$1" ] || return 1
above=${1%/*}; while [ ! -d "${above:-/}" ]; do above=${above%/*}; done; [ -x "${above:-/}" ]; }
"""

FACTS = GONE + """part facts
# Podman stands in for docker as a program of that name, or at the other end of docker's socket
foreign(){ said engine; case "$EC $v" in "0 "[2-9][0-9]*) return 1;; esac
v=$(docker --version 2>/dev/null </dev/null | head -n 1); case $v in podman*) return 0;; esac
v=$(docker version -f '{{range .Server.Components}}{{.Name}} {{.Version}};{{end}}' 2>/dev/null </dev/null); v=${v%%;*}
case $v in *[Pp]odman*) return 0;; esac; return 1; }
printf 'state=%s\\n' "$S"
v=; [ ! -f "$S/format" ] || read -r v <"$S/format"; printf 'format=%s\\n' "$v"
free(){ df -Pm "$1" 2>/dev/null | { read -r _; read -r _ _ _ v _; printf '%s=%s\\n' "$2" "${v:-}"; }; }
near=$S; while [ ! -d "$near" ]; do near=${near%/*}; [ -n "$near" ] || near=/; done
printf 'fs=%s\\n' "$(stat -f -c %T "$near" 2>/dev/null)"
[ -w "$near" ] || printf 'readonly=%s\\n' "$near"
free "$near" free
for t in flock tar timeout sha256sum head dd stat sed; do command -v $t >/dev/null 2>&1 || printf 'tool=%s\\n' $t; done
for p in $BINDS; do ! gone "$p" || printf 'missing=%s\\n' "$p"; done
if ! command -v docker >/dev/null 2>&1; then printf 'problem=docker is not installed\\n'
elif engine; foreign; then printf 'problem=docker on this host is %s: lading needs Docker Engine\\n' "$v"
elif [ $EC != 0 ]; then printf 'problem=%s\\n' "$(docker ps -q 2>&1 >/dev/null | head -n 1)"
else printf '%s\\n' "$E"; root=${E##*root=}; said plugin
printf 'compose=%s\\n' "${v:-$(docker compose version --short 2>/dev/null </dev/null)}"
said ctx; printf 'context=%s %s\\n' "$v" "${DOCKER_HOST:-}"
free "$root" dockerfree
P=$(docker ps -a --no-trunc --format 'c={{.ID}} {{.Label "com.docker.compose.project"}} {{.Label "lading.app"}}
port={{.Label "com.docker.compose.project"}} {{.Ports}}
net={{.Names}} {{.Networks}} {{.Label "com.docker.compose.project"}}' 2>&1) || P=problem=${P%%"
"*}
printf '%s\\n' "$P"
docker network ls --format 'there={{.Name}}' 2>/dev/null
fi
grep -h ' 0A ' /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ l _; do printf 'listen=%s\\n' "$l"; done
"""

# `real PATH`: where it leads, as r; "" where that cannot be known: a link that ends nowhere, a folder that the SSH user may
# not enter, a newline. What does not exist is seen from the folder that does: Docker would make it there.
# `leads PATH…`: a line "NUMBER REAL" for each that leads elsewhere, but into the app's own folder of data.
LINKS = """part links
real(){ h=$1; t=
until r=$(readlink -f "${h:-/}" 2>/dev/null && echo .); do r=
if [ -z "$h" ] || [ -L "$h" ] || [ -e "$h" ]; then return; fi
t=/${h##*/}$t; h=${h%/*}
if [ -d "${h:-/}" ] && [ ! -x "${h:-/}" ]; then return; fi
done
r=${r%"
."}; r=${r%/}$t; r=${r:-/}
case $r in *"
"*) r=;; esac; }
leads(){ real "$A/project"; own=${r:-/dev/null}; n=0
for p; do
case $p in /*) real "$p"; w=$p;; *) real "$A/project/$p"; w=$own/$p;; esac
case $r in "$w"|"$own"|"$own"/*) ;; *) printf '%s %s\\n' $n "$r";; esac
n=$((n + 1))
done; }
"""
