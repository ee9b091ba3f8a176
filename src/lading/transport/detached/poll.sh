# Tell what a command has written since, in base64, how it ended, and whether that was all.
# PIECES: so many in one answer. The words: how many pieces of its stdout and of its stderr have come, and, if its stdin is to
# end, eof, or gone if nobody fetches any more.

work=${0%/*}
case "${3:-}" in
eof) true >"$work/eof" ;;
gone)
    true >"$work/gone"
    true >"$work/eof"
    exit 0
    ;;
esac
{ echo "$$ $1 $2" >"$work/beat.new" && mv "$work/beat.new" "$work/beat"; } || exit 44

# drop_pieces NAME COUNT: those that have come
drop_pieces() {
    number=$(($2 - 1))
    while [ -e "$work/$1.$number" ]; do
        rm -f "$work/$1.$number"
        number=$((number - 1))
    done
}

is_over() {
    [ -e "$work/status" ] && [ -e "$work/o.eof" ] && [ -e "$work/e.eof" ]
}

# has_news STDOUT STDERR
has_news() {
    [ -e "$work/o.$1" ] || [ -e "$work/e.$2" ] || is_over
}

# show_pieces NAME COUNT: those that come next; it is not the end if some are left
show_pieces() {
    number=$2
    while [ $((number - $2)) -lt "$PIECES" ] && [ -e "$work/$1.$number" ]; do
        printf '%s ' "$1"
        base64 <"$work/$1.$number" | tr -d '\n'
        echo
        number=$((number + 1))
    done
    [ ! -e "$work/$1.$number" ] || end=0
}

drop_pieces o "$1"
drop_pieces e "$2"
waited=0
while [ "$waited" -lt 10 ] && ! has_news "$1" "$2"; do
    sleep 0.1
    waited=$((waited + 1))
done
is_over || sleep 0.1
status=-
[ ! -e "$work/status" ] || read -r status <"$work/status"
end=0
! is_over || end=1
printf '\nLADING pieces\n'
show_pieces o "$1"
show_pieces e "$2"
printf 'LADING %s %s\n' "$status" $end
[ $end = 0 ] || rm -rf "$work"
