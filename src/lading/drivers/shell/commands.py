"""The changing commands of a deployment on one host: stage, roll, remove, commit, undo, release the lease (pure)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lading.drivers.shell import observation, scripts
from lading.transport import command

UP_TIMEOUT = 900  # seconds that `docker compose up` may take, waiting for dependencies included


@dataclass(frozen=True, slots=True)
class Hold:
    """What a deployment holds on a host: its lease by fence, and where lading's state is.

    *state_dir* as configured; *folder*: the same as the host told it, which spares it from asking its engine again.
    """

    state_dir: str
    app: str
    deployment: str
    fence: int
    holder: str
    since: str
    url: str = ""
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials of one registry for the time of a pull.

    *identity*: *password* is the registry's entry in a Docker configuration, since nobody can log in with such a token.
    """

    registry: str
    username: str
    password: command.Secret
    identity: bool = False


def guarded(
    name: str, marker: str, hold: Hold, body: str, *, timeout: int, changes: bool = True,
    payload: tuple[bytes | command.Secret, ...] = (), more: Mapping[str, str | int] | None = None,
) -> command.Command:
    """A script that runs only while *hold* is valid; it extends the lease to its own time-out + 30 s."""
    values = {
        "M": marker, "APP": hold.app, "STATE": hold.state_dir, "AT": hold.folder, "D": hold.deployment, "F": hold.fence, "T": timeout,
        "CHANGES": int(changes), "STEP": name, "HOLDER": hold.holder, "SINCE": hold.since, "URL": hold.url, **(more or {}),
    }
    quiet = "trap '' HUP PIPE\n" if changes else ""
    script = command.assign(values) + scripts.PRELUDE + scripts.STATE_DIR + scripts.LEASE + quiet + scripts.GUARD + body
    return command.Command(name, script, marker, payload, timeout, changes)


UNPACK = """I=$A/incoming.$D; rm -rf "$A"/incoming.*
if [ "$TAR" -gt 0 ]; then
mkdir "$I" && head -c "$TAR" | tar -xpof - -C "$I" 2>"$A/tar.err" || { e=$(tail -n 1 "$A/tar.err"); rm -rf "$I" "$A/tar.err"; refuse upload "$e"; }
rm -f "$A/tar.err"; chmod -R a+rX "$I"
[ ! -d "$I/objects" ] || find "$I/objects" -mindepth 1 -type d -exec chmod u=rwx,go=rx,g-s {} +
for o in "$I"/objects/*; do [ -e "$o" ] || continue; n=$A/objects/${o##*/}
if [ -f "$n" ] && [ -f "$o" ]; then { cat "$o" >"$n"; } 2>/dev/null || mv -f "$o" "$n"; elif [ ! -e "$n" ]; then mv "$o" "$A/objects/"; fi; done
for s in "$I"/secrets/*/*; do [ -f "$s" ] || continue; d=${s%/*}; d=$A/secrets/${d##*/}; mkdir -p "$d" && mv "$s" "$d/"; done
if [ -d "$I/releases/$R" ]; then rm -rf "$A/releases/$R.old"; [ ! -d "$A/releases/$R" ] || mv "$A/releases/$R" "$A/releases/$R.old"
mv "$I/releases/$R" "$A/releases/" || refuse upload "cannot store the release"
[ ! -f "$A/releases/$R.old/deployed.json" ] || mv "$A/releases/$R.old/deployed.json" "$A/releases/$R/"; rm -rf "$A/releases/$R.old"; fi
rm -rf "$I"; sync -f "$A" 2>/dev/null || sync
fi
"""
# A folder of another SSH user's that ships cannot be removed: it gets another name, and goes with that user's next commit.
PRUNE = """rm -rf "$A"/objects/*.gone 2>/dev/null
prune(){ rm -rf "$A/objects/$1" 2>/dev/null || mv "$A/objects/$1" "$A/objects/$1.gone"; }
"""
PULL = """C=
clean(){ [ -z "$C" ] || rm -rf "$C"; }
trap clean EXIT; trap 'clean; exit 143' TERM INT HUP
config(){ [ -z "$C" ] || return 0; for d in /dev/shm "${XDG_RUNTIME_DIR:-/nowhere}"; do [ -w "$d" ] || continue
rm -rf "$d/lading.$APP".*; C=$(mktemp -d "$d/lading.$APP.XXXXXX") && return 0; done
refuse login "no folder in memory for registry credentials (/dev/shm, XDG_RUNTIME_DIR)"; }
has(){ docker image inspect "$1" >/dev/null 2>&1; }
login(){ config; e=$(printf '%s' "$3" | docker --config "$C" login -u "$2" --password-stdin "$1" 2>&1 >/dev/null) ||
refuse login "$1" "$(printf '%s\\n' "$e" | tail -n 1)"; }
given(){ config; printf '{"auths":{%s}}' "$1" >"$C/config.json" || refuse login "cannot write $C"; }
pull(){ has "$1" && return 0; config; e=$(docker --config "$C" pull -q "$1" 2>&1 >/dev/null) || refuse "$LACKS" "$1" "$(printf '%s\\n' "$e" | tail -n 1)"
part pulled; printf '%s\\n' "$1"; }
keep(){ docker tag "$1" "$2" || refuse pull "$1" "cannot tag it"; }
"""


KEPT_TAGS = """for i in $(docker images -q --filter "reference=lading-keep/$KEEP/*" --format "{{.Repository}}:{{.Tag}}"); do
docker image rm "$i" >/dev/null 2>&1; done
"""


def kept_image(app: str, service: str, release: str) -> str:
    """The tag that spares an image of a kept release from a prune (lower case, as Docker wants it).

    *service*: its name, or "NAME+1" for an image that stands elsewhere than in its `image:`.
    """
    name, _, number = service.partition("+")
    words = [re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-") or "x" for word in (app, name)]
    return f"lading-keep/{'/'.join(words)}{f'__{number}' if number else ''}:{release}"


def stage(
    marker: str, hold: Hold, *, release: str, tar: bytes, images: Mapping[str, str], logins: Sequence[Login],
    compose: str, kept: bool = False, timeout: int = 1800,
) -> command.Command:
    """Upload (one stream, atomic renames), log in and pull by digest in memory, tag, and show the host's own config.

    *images*: service → reference by digest, or without one what nobody pulls; *kept*: they were on the host once, for they are
    those of a release that it keeps.
    """
    lines = [UNPACK, PULL]
    for index, login in enumerate(logins):
        lines.append(f"P{index}=$(head -c {len(login.password.value)})\n")
    lines.append(scripts.WATCH)
    distinct = [image for image in dict.fromkeys(images.values()) if "@" in image]
    lines += [f"has {command.quote(i)} || refuse absent {command.quote(i)}\n" for i in dict.fromkeys(images.values()) if "@" not in i]
    absent = " && ".join(f"has {command.quote(image)}" for image in distinct) or "true"
    entries = ",".join(f"$P{index}" for index, login in enumerate(logins) if login.identity)
    tries = f'given "{entries}"\n' if entries else ""
    tries += "".join(
        f'login {command.quote(login.registry)} {command.quote(login.username)} "$P{index}"\n'
        for index, login in enumerate(logins) if not login.identity
    )
    pulls = "".join(f"pull {command.quote(image)}\n" for image in distinct)
    lines.append(f"if ! {{ {absent}; }}; then :\n{tries}{pulls}fi\n")
    lines += [
        f"keep {command.quote(image)} {command.quote(kept_image(hold.app, service, release))}\n"
        for service, image in images.items()
    ]
    lines += [compose, 'part dir; printf "%s\\n" "$A"\npart config\ncompose config --no-path-resolution 2>"$A/config.err" || '
              '{ e=$(tail -n 3 "$A/config.err"); rm -f "$A/config.err"; refuse config "$e"; }\nrm -f "$A/config.err"\n', scripts.END]
    payload: tuple[bytes | command.Secret, ...] = (command.Secret(tar), *(login.password for login in logins))
    return guarded("stage", marker, hold, "".join(lines), timeout=timeout, changes=False, payload=payload,
                   more={"TAR": len(tar), "R": release, "LACKS": "gone" if kept else "pull"})


# Containers are stopped for a network, never removed: Compose makes the new ones from the old ones, whose anonymous volumes
# go on with them. What has ended of the services SPARE stays as it is.
NETWORKS = scripts.LEFTOVERS + """halt(){ for c in $(docker ps -q --no-trunc --filter "$1" --filter status=paused); do docker unpause $c >/dev/null; done
ids=$(docker ps -q --no-trunc --filter "$1"); [ -z "$ids" ] || e=$(docker stop $ids 2>&1 >/dev/null) || refuse network "its containers do not stop: $e"; }
let_go(){ docker ps -a --no-trunc --filter "network=$1" --format '{{.ID}} {{.State}} {{.Label "com.docker.compose.service"}}' |
while read -r c state service; do case "$state $SPARE " in exited*" $service "*) continue;; esac; docker network disconnect -f "$1" $c; done; }
scale_down(){ docker rm -f "$1" >/dev/null 2>&1 || ! docker container inspect "$1" >/dev/null 2>&1 || refuse remove "container $1 stays"; }
on_network(){ docker ps -aq --no-trunc --filter "network=$1" | while read -r c; do
[ "$(docker inspect -f '{{index .Config.Labels "com.docker.compose.project"}}' $c)" = "$APP" ] || printf '%s\\n' $c; done; }
names(){ docker inspect -f '{{.Name}}' "$@" 2>/dev/null | tr -d / | tr '\\n' ' '; }
take_down(){ for c in $(on_network "$1"); do docker inspect -f "{{.Id}} {{with index .NetworkSettings.Networks \\"$1\\"}}\
{{with .IPAMConfig}}{{or .IPv4Address \\"-\\"}}{{else}}-{{end}}{{range .Aliases}} {{.}}{{end}}{{end}}" $c |
while read -r line; do printf '%s %s\\n' "$1" "$line"; done >>"$A/detached" || refuse state "cannot write $A"; sync "$A/detached" 2>/dev/null || sync
docker network disconnect -f "$1" $c || refuse network "$(names $c)cannot be detached from $1"; done
halt "network=$1"; let_go "$1"
docker network inspect "$1" >/dev/null 2>&1 || return 0
e=$(docker network rm "$1" 2>&1 >/dev/null) || refuse network "$1 cannot be removed: $e"; }
attach(){ [ -f "$A/detached" ] || return 0
while read -r net c ip more; do docker inspect $c >/dev/null 2>&1 || continue
set --; [ "$ip" = - ] || set -- --ip "$ip"; for a in $more; do [ "$a" = "$(printf %.12s $c)" ] || set -- "$@" --alias "$a"; done
[ -n "$(docker ps -aq --filter "id=$c" --filter "network=$net")" ] && continue
e=$(docker network connect "$@" "$net" $c 2>&1) || { lost="$lost$(names $c)cannot be attached to $net again: $e; "; }
done <"$A/detached"
[ -z "$lost" ] && rm -f "$A/detached"; }
"""
# Compose hands the anonymous volumes of a container on to the one that replaces it, but not over one that has no mount there.
# The file `anonymous` says which ones a service's container had, by what it ran as: SERVICE CONTENT VOLUME TARGET. On the way
# back to that content those which no container has are mounted by name; a volume that is gone is told of.
ANONYMOUS = """had(){ k="$1 $2 "; shift 2
{ grep -v "^$k" "$A/anonymous" 2>/dev/null; for v; do printf '%s%s\\n' "$k" "$v"; done; } | tail -n 1000 >"$A/anonymous.new" &&
mv "$A/anonymous.new" "$A/anonymous" || refuse state "cannot write $A"; sync "$A/anonymous" 2>/dev/null || sync; }
again(){ first=1; while read -r s c v t; do [ "$s $c" = "$1 $2" ] || continue
docker volume inspect "$v" >/dev/null 2>&1 || { gone="$gone$s: $t: its anonymous volume $v is gone, so it has a new, empty one
"; continue; }
[ -z "$(docker ps -aq --filter "volume=$v")" ] || continue
[ -z "$first" ] || { first=; printf '  "%s":\\n    volumes:\\n' "$s" >>"$A/again.yaml"; }
printf '      - {type: volume, source: "%s", target: "%s"}\\n' "$v" "$t" >>"$A/again.yaml"
all="$all  \"$v\": {name: \"$v\", external: true}
"; done <"$A/anonymous"; }
mount_again(){ all=; gone=; [ -f "$A/anonymous" ] || return 0
echo services: >"$A/again.yaml" || refuse state "cannot write $A"
while [ $# -gt 0 ]; do again "$1" "$2"; shift 2; done
[ -z "$gone" ] || { part gone; printf %s "$gone"; }
[ -n "$all" ] || return 0
printf 'volumes:\\n%s' "$all" >>"$A/again.yaml"; }
"""
REMOVE_NETWORK = """on=$(on_network "$n"); [ -z "$on" ] || refuse remove "network $n stays; on it: $(names $on)"
e=$(docker network rm "$n" 2>&1 >/dev/null) || case $e in *"No such network"*) ;; *) refuse remove "network $n stays: $e";; esac"""
# A snapshot every second, and whenever a container of the app ends or tells of its health; until stdin ends. The engine is
# not asked to choose the events: 20.10 knows no filter that finds "health_status: healthy" by what it is called.
WATCH_STATE = """exec 3<&0
n=0; ids=
{ docker events --filter type=container --filter "label=com.docker.compose.project=$APP" --format '{{.Action}}' 3<&- 2>/dev/null &
told=$!; while :; do printf 'tick\\n'; timeout 1 cat <&3 >/dev/null 2>&1 && break; done; kill $told 2>/dev/null; } 9>&- |
while read -r action; do case $action in tick|die|health_status*) [ $((n % 4)) != 0 ] || ids=; n=$((n + 1)); snapshot;; esac; done
part end
exit 0
"""


def roll(
    marker: str, hold: Hold, *, intent: str, compose: str, services: Sequence[str], networks: Sequence[str],
    spare: Sequence[str], whole: bool, result: str, wait: int, name: str = "roll", surplus: Sequence[str] = (),
    anew: bool = False, had: Mapping[tuple[str, str], Sequence[str]] | None = None, again: Sequence[tuple[str, str]] = (),
) -> command.Command:
    """Journal the intent, bring up exactly *services*, journal the result, then show snapshots until stdin ends.

    *networks* are removed first, with the project's containers on them stopped; containers of others are detached, noted in the
    file `detached`, and attached again (by whoever brings the network back); *whole*: all of the project's containers are
    stopped first (undo after a network step); ended ones of the services *spare* stay. *anew*: Compose recreates all of
    *services*. Volumes are never touched. *result*: a JSON object without its rc.
    *surplus*: ids of containers above a service's replicas; they go before Compose would choose some by their number.
    *had*: (service, content) → "VOLUME TARGET" of each anonymous volume that its container has now; *again*: those whose
    last ones are mounted again (the way back).
    """
    lines = [command.assign({"SPARE": " " + " ".join(spare)}), observation.SNAPSHOT, NETWORKS, ANONYMOUS, compose, f"jot {command.quote(intent)} || refuse state 'cannot write the journal'\n"]
    lines += [f"had {command.join([*whose, *volumes])}\n" for whose, volumes in (had or {}).items()]
    for container in surplus:
        lines.append(f"scale_down {command.quote(container)}\n")
    if whole:
        lines.append('leftovers; halt "label=com.docker.compose.project=$APP"\n')
    lines += [f"take_down {command.quote(network)}\n" for network in networks]
    lines.append("rc=0; out=; lost=\n")
    if services:
        chosen = ("--force-recreate " if anew else "") + command.join(services)
        options = "up -d --no-deps --no-build --pull never --quiet-pull"
        plainly = f"out=$(compose {options} {chosen} 2>&1) || rc=$?\n"
        lines += _mounting_again(again, f"{options} {chosen}", plainly) if again else [plainly]
    lines.append(f"""jot {command.quote(result[:-1] + ',"rc":')}$rc'}}'\n""")
    lines.append('attach; [ -z "$lost" ] || refuse network "$lost"\n')
    lines.append("part up; printf '%s\\n' \"$rc\"; printf '%s\\n' \"$out\" | tail -n 20\n")
    lines.append(WATCH_STATE)
    return guarded(name, marker, hold, "".join(lines), timeout=UP_TIMEOUT + wait)


def _mounting_again(again: Sequence[tuple[str, str]], up: str, plainly: str) -> list[str]:
    """The script that brings services *up* with the anonymous volumes that they had, *plainly* where there are none."""
    wanted = command.join([word for pair in again for word in pair])
    return [
        f'mount_again {wanted}\nif [ -n "$all" ]; then\n',
        f'out=$(compose -f "$A/again.yaml" {up} 2>&1) || rc=$?\nelse\n', plainly, 'fi\nrm -f "$A/again.yaml"\n',
    ]


HOOK = """swept(){ ids=$(docker ps -aq --filter "label=com.docker.compose.project=$P" --filter label=com.docker.compose.oneoff=True)
[ -z "$ids" ] || docker rm -f $ids >/dev/null; }
clean(){ rm -f "$Y"; swept
[ "$rc" = 0 ] || { sleep 1; swept; }
if [ "$P" != "$APP" ] || [ "$rc" != 0 ]; then for n in $(docker network ls -q --filter "label=com.docker.compose.project=$P"); do docker network rm "$n" >/dev/null 2>&1; done; fi; }
known(){ docker "$1" inspect "$3" >/dev/null 2>&1 && printf '  %s: !override {name: %s, external: true}\\n' "$2" "$4" && return
printf '  %s: {name: "%s"}\\n' "$2" "$P-$5"; }
Y=$A/hook.yaml; rc=1; P=$APP-hook-$D
[ -n "$(docker ps -aq --filter "label=com.docker.compose.project=$APP")" ] || P=$APP
"""


def hook(
    marker: str, hold: Hold, *, service: str, compose: str, overlay: str, networks: Mapping[str, str],
    volumes: Mapping[str, str], needed: Sequence[str], timeout: int, intent: str, result: str,
) -> command.Command:
    """Run *service* once with *overlay* on top of the release, and answer with its status and last lines.

    Beside a running app it is a throw-away project on the existing *networks* and *volumes* (key → real name;
    *needed*: names of those that the service mounts); where the app has no container yet there is nothing to disturb, and the app's own project
    makes them. Nothing of the app is recreated in either case.
    """
    lines = [compose, f"jot {command.quote(intent)} || refuse state 'cannot write the journal'\n", HOOK]
    lines += [
        f'[ "$P" = "$APP" ] || docker volume inspect {command.quote(name)} >/dev/null 2>&1 || refuse hook '
        f"{command.quote(f'volume {name} does not exist yet: deploy once without the hook')}\n" for name in needed
    ]
    lines += ['{ printf %s "$OVERLAY"\nif [ "$P" != "$APP" ]; then :\n']
    for kind, found in (("network", networks), ("volume", volumes)):
        if found:
            lines.append(f"printf '{kind}s:\\n'\n")
        for index, (key, name) in enumerate(found.items()):
            words = command.join([kind, json.dumps(key), name, json.dumps(name), str(index)])
            lines.append(f"known {words}\n")
    lines.append('fi; } >"$Y" || refuse state "cannot write $A"\n')
    lines.append(f"LIMIT={timeout}\nout=$(compose -p \"$P\" -f \"$Y\" run --rm --no-deps -T {command.quote(service)} 2>&1); rc=$?\n")
    lines.append(f"""clean\njot {command.quote(result[:-1] + ',"rc":')}$rc'}}'\n""")
    lines.append("part hook; printf '%s\\n' \"$rc\"; printf '%s\\n' \"$out\" | tail -n 50\npart end\nexit 0\n")
    return guarded("hook", marker, hold, "".join(lines), timeout=timeout + 90, more={"OVERLAY": overlay})


def tidy(
    marker: str, hold: Hold, *, intent: str, containers: Sequence[str], networks: Sequence[str], stop: str = ""
) -> command.Command:
    """Remove what the release no longer has: containers by id, networks by name; never a volume.

    *stop*: what Compose stops first (`host_commands.stopped`).
    """
    body = NETWORKS + f"jot {command.quote(intent)} || refuse state 'cannot write the journal'\n" + stop
    if containers:
        body += f"docker rm -f {command.join(containers)} >/dev/null || refuse remove 'a container stayed'\n"
    for network in networks:
        body += f"n={command.quote(network)}; {REMOVE_NETWORK}\n"
    return guarded("tidy", marker, hold, body + "part end\nexit 0\n", timeout=120)


# Between a service's verdict and the commit lie the other batches, and whoever else works on the host. runs SERVICE CONTENT
# SECRETS REPLICAS FRESH MAYEND: all its containers are good; FRESH = 1: it was just started, so that a restart of its own is a
# crash; MAYEND = 1: an end with code 0 is good, too.
# An engine that is away, and what starts again with it, has half a minute.
STILL_THERE = f"""n=0; while :; do have=; away=
ids=$(docker ps -aq --no-trunc --filter "label={observation.PROJECT}=$APP" 2>/dev/null) || away="the engine does not answer"
[ -z "$ids" ] || have=$(docker container inspect --format {command.quote(observation.STILL)} $ids 2>/dev/null)
[ -n "$away" ] || case $have in *" running/starting "*) ;; *) break;; esac
[ $n -lt 30 ] || break; n=$((n + 1)); sleep 1; done
runs(){{ found=0; IFS='
'; for line in $have; do case $line in "$1 False $2 $3 "*) found=$((found + 1)); line=${{line#"$1 False $2 $3 "}}
case $line in "running 0"|"running/healthy 0") ;; "running "*|"running/healthy "*) [ "$5" = 0 ] || refuse changed "$1" "it restarts";;
exited=0" "*) [ "$6" = 1 ] || refuse changed "$1" "it has ended";;
*) line=${{line% *}}; line=${{line%=*}}; refuse changed "$1" "it is ${{line#running/}}";; esac;; esac; done; unset IFS
[ $found -ge "$4" ] || refuse changed "$1" "$away"; }}
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a service was judged to run as: its labels' *content* and *secrets*, how many containers, whether it was just started, and whether it may end."""

    content: str
    secrets: str
    replicas: int = 1
    fresh: bool = False
    may_end: bool = False


def commit(
    marker: str, hold: Hold, *, record: str, release: str, deployed: str, current: str, script: str, runs: Mapping[str, Judged], releases: Sequence[str],
    objects: Sequence[str], secrets: Sequence[str], tags: Sequence[str],
) -> command.Command:
    """`committed` in the journal, *deployed* with the release in folder *release*, switch `current`, write the operator's script, prune, free the lease.

    Refused before anything is written if one of the services *runs* does not run any more as it was judged.
    """
    lines = [STILL_THERE] if runs else []
    lines += [f"runs {command.join([name, one.content, one.secrets, str(one.replicas), str(int(one.fresh)), str(int(one.may_end))])}\n" for name, one in runs.items()]
    lines += [
        'jot "$RECORD" || refuse state "cannot write the journal"\n',
        'd=$A/releases/$R/deployed.json; printf "%s\\n" "$DEPLOYED" >"$d.new" && mv "$d.new" "$d" && { sync "$d" || sync; }\n',
        'printf "%s\\n" "$CURRENT" >"$A/current.new" && mv "$A/current.new" "$A/current" && { sync "$A/current" || sync; }\n',
        'printf "%s" "$SCRIPT" >"$A/compose.new" && chmod 755 "$A/compose.new" && mv "$A/compose.new" "$A/compose"\n',
    ]
    lines += [f'rm -rf "$A"/releases/{command.quote(name)}\n' for name in releases]
    lines += [PRUNE, *(f"prune {command.quote(name)}\n" for name in objects)]
    lines += [f'rm -f "$A"/secrets/{command.quote(name)}\n' for name in secrets]
    if tags:
        lines.append(f"docker image rm {command.join(tags)} >/dev/null 2>&1\n")
    lines += [scripts.FREE, "part end\nexit 0\n"]
    return guarded("commit", marker, hold, "".join(lines), timeout=120,
                   more={"RECORD": record, "R": release, "DEPLOYED": deployed, "CURRENT": current, "SCRIPT": script})


def undone(marker: str, hold: Hold, *, record: str) -> command.Command:
    """Journal how it ended here and free the lease; nothing else is changed."""
    body = f"jot {command.quote(record)}\n{scripts.FREE}part end\nexit 0\n"
    return guarded("release-lease", marker, hold, body, timeout=60)


def give_back(
    marker: str, hold: Hold, *, record: str, ended: str, release: str, objects: Sequence[str], secrets: Sequence[str]
) -> command.Command:
    """lading's own files of an app go, its containers stay with what they mount and what the file `compose` reads.

    *release* stays without its release.json; *objects* and *secrets* go; `current` goes last but for the line *ended*.
    """
    lines = ['jot "$RECORD" || refuse state "cannot write the journal"\n',
             'for r in "$A"/releases/*; do [ "${r##*/}" = "$R" ] || rm -rf "$r"; done; rm -f "$A/releases/$R/release.json" "$A/releases/$R/deployed.json"\n']
    lines += [PRUNE, *(f"prune {command.quote(name)}\n" for name in objects)]
    lines += [f'rm -f "$A"/secrets/{command.quote(name)}\n' for name in secrets]
    lines += [KEPT_TAGS, 'rm -f "$A/current"; jot "$ENDED"\n', scripts.FREE, "part end\nexit 0\n"]
    return guarded("give-back", marker, hold, "".join(lines), timeout=120,
                   more={"RECORD": record, "ENDED": ended, "R": release, "KEEP": kept_image(hold.app, "x", "x").split("/")[1]})


def vanish(
    marker: str, hold: Hold, *, record: str, volumes: bool, forget: bool, stop: str = ""
) -> command.Command:
    """Remove the app's containers and networks (undo of a first deployment, and `remove`).

    *volumes*: its volumes and host data too; *forget*: lading's own files of the app, but for the journal; *stop*: what
    Compose stops first (`host_commands.stopped`).
    """
    label = '--filter "label=com.docker.compose.project=$APP"'
    lines = [
        NETWORKS, f"jot {command.quote(record)} || refuse state 'cannot write the journal'\n", stop,
        f"ids=$(docker ps -aq --no-trunc {label}); [ -z \"$ids\" ] || docker rm -f $ids >/dev/null || refuse remove 'a container stayed'\n",
        f"for n in $(docker network ls {label} --format '{{{{.Name}}}}'); do {REMOVE_NETWORK}; done\n",
    ]
    if volumes:
        lines.append(f"for v in $(docker volume ls -q {label}); do docker volume rm $v >/dev/null || refuse remove 'a volume stayed'; done\n"
                     'rm -rf "$A/project" 2>/dev/null || part left\n')
    if forget:
        lines.append(f'{KEPT_TAGS}rm -rf "$A/releases" "$A/objects" "$A/secrets" "$A/current" "$A/compose" "$A/anonymous"; rmdir "$A/project" 2>/dev/null\n')
    keep = kept_image(hold.app, "x", "x").split("/")[1]
    return guarded("vanish", marker, hold, "".join(lines) + "part end\nexit 0\n", timeout=300, more={"KEEP": keep})
