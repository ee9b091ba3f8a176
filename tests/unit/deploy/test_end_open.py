"""What another run left open is ended first; only what is open on the hosts that are wanted is in the way."""

import pytest

from lading import errors, events
from lading.deploy import ended, takeover
from lading.engines import base


def an_end(**hosts: events.HostResult) -> ended.Ended:
    outcome = events.Outcome({name: events.HostOutcome(result) for name, result in hosts.items()})
    return ended.Ended("d1", "shop", "1", "r1", "all", outcome.result, "", "", "ann", "", base.Report(outcome))


def test_a_silent_host_that_is_not_wanted_is_in_nobody_s_way() -> None:
    takeover._check_decided(an_end(web1="rolled_back", web2="unknown"), ["web1"])


@pytest.mark.parametrize("wanted", [["web2"], ["web1", "web2"]])
def test_a_host_on_which_nobody_could_end_it_is_named(wanted: list[str]) -> None:
    with pytest.raises(errors.DeployFailedError) as caught:
        takeover._check_decided(an_end(web1="rolled_back", web2="unknown"), wanted)
    assert caught.value.host == "web2"
    assert "--lost web2" in caught.value.hint


def test_where_it_is_in_doubt_those_are_named_who_are_silent() -> None:
    why = "in doubt: web1: prepared, web2: silent, web3: silent"
    doubt = events.HostOutcome("unknown", error=why)
    gone = events.HostOutcome("unknown", error="it is excluded since yesterday")
    outcome = events.Outcome({"web1": doubt, "web2": gone, "web3": gone})
    done = ended.Ended("d1", "shop", "1", "r1", "all", outcome.result, "", "", "ann", "", base.Report(outcome, why=why))
    with pytest.raises(errors.DeployFailedError) as caught:
        takeover._check_decided(done, ["web1"])
    assert (caught.value.host, "--continue | --undo --lost web2 --lost web3" in caught.value.hint) == ("web1", True)
