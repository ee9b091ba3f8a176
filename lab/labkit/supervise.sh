#!/bin/bash
# The services of one host, each started again when it ends (as systemd's Restart=always does).
# /run/lab/NAME.pid tells which process it is; while /run/lab/NAME.stopped exists it is kept down.

keep() { # keep NAME COMMAND…
    local name=$1
    shift
    while :; do
        until [ ! -e "/run/lab/$name.stopped" ]; do sleep 0.1; done
        "$@" >>"/run/lab/log/$name.log" 2>&1 &
        echo $! >"/run/lab/$name.pid"
        wait $!
        rm -f "/run/lab/$name.pid"
        sleep 0.2
    done
}

engine() { # dockerd refuses to start without containerd; a stale pid file is of another life
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        [ ! -S /run/containerd/containerd.sock ] || break
        sleep 0.05
    done
    rm -f /run/docker.pid
    exec dockerd --containerd /run/containerd/containerd.sock -H unix:///run/docker.sock --pidfile /run/docker.pid
}

keep sshd /usr/sbin/sshd -D -e &
keep containerd containerd --log-level warn &
keep dockerd engine &
wait
