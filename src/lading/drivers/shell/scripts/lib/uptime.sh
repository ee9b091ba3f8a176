# The clock by which leases end: nobody sets it, and it begins anew with the machine.

# read_uptime: uptime, the seconds since the machine started, and boot, which of its starts that was
read_uptime() {
    read -r uptime _ </proc/uptime
    uptime=${uptime%%.*}
    read -r boot </proc/sys/kernel/random/boot_id
}
