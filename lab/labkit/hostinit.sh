#!/bin/bash
# The start of one host, as PID 1 of its new mount, uts, ipc, pid, cgroup and network namespaces:
# builds its root folder and steps into it. In the environment: HOST, FOLDER, LOGS, KIT, CGROUPS, ENGINE.
set -euo pipefail
hostname "$HOST"
root=$FOLDER/root
mkdir -p "$root" "$FOLDER/work" "$FOLDER/engine/docker" "$FOLDER/engine/containerd" "$FOLDER/home" "$LOGS"

# everything of "/" to read, all writes private; what the machine mounts below "/" is not seen
mount -t overlay overlay -o "lowerdir=/,upperdir=$FOLDER/upper,workdir=$FOLDER/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
chmod 700 "$FOLDER/home"
mount --bind "$FOLDER/home" "$root/root"

# overlay2 cannot lie on an overlay: the engine's data is on the disk itself, or on a small one
if [ -f "$FOLDER/small-disk" ]; then mount -o loop "$FOLDER/small-disk" "$FOLDER/engine"; fi
mkdir -p "$root/var/lib/docker" "$root/var/lib/containerd" "$FOLDER/engine/docker" "$FOLDER/engine/containerd"
mount --bind "$FOLDER/engine/docker" "$root/var/lib/docker"
mount --bind "$FOLDER/engine/containerd" "$root/var/lib/containerd"

# another engine than the machine's: its programs over those of the machine
for program in ${ENGINE:+"$ENGINE"/*}; do
    place=$(PATH=$root/usr/sbin:$root/usr/bin command -v "${program##*/}") || place=$root/usr/bin/${program##*/}
    touch "$place"
    mount --bind "$program" "$place"
done

# cgroup file systems, which the cgroup namespace roots at this host's own group
mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
while read -r type options folder; do
    mkdir -p "$root/sys/fs/cgroup/$folder"
    if [ "$type" = cgroup2 ]; then
        umount "$root/sys/fs/cgroup"
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
        mkdir -p "$root/sys/fs/cgroup/init"
        echo 0 >"$root/sys/fs/cgroup/init/cgroup.procs"
        for _ in $(seq 500); do # refused until the lab has taken the parent process out of the group
            sed 's/\w\+/+&/g' "$root/sys/fs/cgroup/cgroup.controllers" \
                >"$root/sys/fs/cgroup/cgroup.subtree_control" 2>/dev/null && break
            sleep 0.02
        done
    else
        mount -t cgroup -o "$options" cgroup "$root/sys/fs/cgroup/$folder"
    fi
done <<<"$CGROUPS"

mkdir -p "$root/run/lab/log" "$root/run/sshd" "$root/run/lock" "$root/.outside"
cp "$KIT/supervise.sh" "$root/run/lab/supervise.sh"
mount --bind "$LOGS" "$root/run/lab/log"

cd "$root"
pivot_root . .outside
cd /
umount -l /.outside
unset HOST FOLDER LOGS KIT CGROUPS ENGINE OLDPWD
exec /usr/bin/tini -s -- /bin/bash /run/lab/supervise.sh
