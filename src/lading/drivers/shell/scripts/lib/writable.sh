# What cannot be written is refused in words: a shell ends where a file that it is to have open cannot be.
# needs: prelude

# can_append PATH: to a file that is there, or can be made
can_append() {
    { [ -f "$1" ] && [ -w "$1" ]; } || { [ ! -e "$1" ] && [ -w "${1%/*}" ]; }
}

# refuse_unwritable PATH: with the system's own reason why the app's folder takes nothing, if it has one
refuse_unwritable() {
    said=$(dd if=/dev/zero of="$app_dir/probe" bs=4096 count=1 2>&1 >/dev/null)
    rm -f "$app_dir/probe" 2>/dev/null
    said=${said%%"$newline"*}
    case $said in
    *": "*) refuse state "cannot write $1: ${said##*: }" ;;
    *) refuse state "cannot write $1" ;;
    esac
}
