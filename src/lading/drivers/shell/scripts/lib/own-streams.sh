# A program that somebody is attached to: the answer ends where its stdin, stdout and stderr begin.
# SIZE: bytes of stdin that come before its own; TTY: "-t" = it is at a terminal.
# needs: prelude

# read_sent SIZE: so many bytes of stdin, and not one more
read_sent() {
    [ "$1" = 0 ] || dd bs="$1" count=1 iflag=fullblock 2>/dev/null || dd bs=1 count="$1" 2>/dev/null
}

# begin_streams: what comes from now on, by stdout or by stderr, is the program's
begin_streams() {
    part begin
    [ -n "$TTY" ] || part begin >&2
}
