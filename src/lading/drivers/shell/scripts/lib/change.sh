# What is done in the middle of a command, between two lines of the journal: also if it is refused there, the second says so.
# needs: prelude journal heartbeat

# begin_change RECORD: what is about to be done. REFUSED: the line of the journal if it is refused halfway.
begin_change() {
    journal_or_refuse "$1"
    trap note_refusal EXIT
}

# end_change RECORD: what became of it
end_change() {
    trap - EXIT
    journal_or_refuse "$1"
}

note_refusal() {
    [ -z "$REFUSED" ] || journal_append "$REFUSED"
}
