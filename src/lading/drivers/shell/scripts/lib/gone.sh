# Whether something is not there, or only hidden.

# is_gone PATH: it does not exist. What lies in a folder that the SSH user may not enter (/var/lib/docker) is for the engine
# to see.
is_gone() {
    [ ! -e "$1" ] || return 1
    above=${1%/*}
    while [ ! -d "${above:-/}" ]; do
        above=${above%/*}
    done
    [ -x "${above:-/}" ]
}
