# Take the lease and its fence, note it in the journal, and look again. The words: what is mounted of the host.
# MODE: begin, or take = the deployment has begun here already; where it has not, or has ended, there is nothing to hold, and
# only its phase is told. RECORD: the line of the journal, without the fence; TAKEN: what it is for one that began before;
# ASIDE: 1 = the journal that is there does not count, and another is begun;
# SETTLED: 1 = the controller has seen that no command which was killed has left anything;
# PROCESS, HOLDER, HELD_SINCE, URL: who holds it; GRACE: seconds that the containers need to stop.
# needs: prelude engine-state-dir acquire-lease journal state-mark wait-quiet look facts
# may need: links

# refuse_to_begin: a deployment that is open is ended before another begins
refuse_to_begin() {
    [ "${open:-$DEPLOYMENT}" = "$DEPLOYMENT" ] || refuse open "$open"
    case $phase in
    ended | undone) refuse closed "$phase" ;;
    esac
}

# there_is_something_to_hold: the deployment is the open one
there_is_something_to_hold() {
    [ "$MODE" = begin ] || [ "$open" = "$DEPLOYMENT" ]
}

# take_lease: FENCE, higher than every one that was given before; as RECORD in the journal
take_lease() {
    find_highest_fence
    for before in "$lease_fence" "$given"; do
        [ "$highest" -ge "$before" ] || highest=$before
    done
    FENCE=$((highest + 1))
    if [ "$phase" = none ]; then
        ask_engine
        info_value id
        RECORD=$(with_word "$RECORD" engine "$value")
        end_torn_line
        journal_size
        lease_from=$size
        phase=begun
    elif [ "$lease_deployment" != "$DEPLOYMENT" ]; then
        lease_from=0
    fi
    lease_deployment=$DEPLOYMENT lease_fence=$FENCE lease_state=held lease_holder=$HOLDER lease_since=$HELD_SINCE lease_url=$URL
    lease_process=$PROCESS lease_beat=0
    trap '' TERM
    { extend_lease 0 && sync_file "$app_dir"; } || refuse_unwritable "$app_dir"
    journal_or_refuse "$(with_number "$RECORD" fence "$FENCE")"
    trap - TERM
}

# settle: what the last command left undone
settle() {
    [ -z "$unanswered" ] || wait_quiet
    if [ "$SETTLED" = 1 ] && [ -z "$open" ]; then
        return 0
    fi
    remove_hooks
    settle_half_made
}

# set_journal_aside: it is not this host's, or cannot be read; the fences that it tells of stay given
set_journal_aside() {
    lease_from=0
    find_highest_fence
    given=$highest
    { mv "$app_dir/journal" "$app_dir/journal.until-$DEPLOYMENT" && touch "$app_dir/journal"; } ||
        refuse_unwritable "$app_dir"
}

given=0
find_state_dir
make_app_dir
live_on_bytes answer_byte
acquire_lease
[ -n "$lease_known" ] || lease_from=0
[ "$ASIDE" = 0 ] || set_journal_aside
read_journal
[ "$phase" != none ] || [ "$lease_from" = 0 ] || find_phase
[ "$MODE" = take ] || refuse_to_begin
[ "$MODE" = take ] || mark_state
FENCE=0
if there_is_something_to_hold; then
    [ "$phase" = none ] || RECORD=$TAKEN
    unlock_lease
    settle
    look_at_lease
    take_lease
fi
unlock_lease
exec 9>&-
seen=$(look "$@")
hush
part fence
printf '%s\n' "$FENCE"
part phase
printf '%s\n' "$phase"
printf '\n%s\n' "$seen"
finish
