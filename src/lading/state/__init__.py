"""What runs where: what was observed, and what hosts keep of it (pure)."""

from lading.state.journal import hash_of_line as hash_of_line
from lading.state.observed import ADDED as ADDED
from lading.state.observed import AppState as AppState
from lading.state.observed import ContainerState as ContainerState
from lading.state.observed import Facts as Facts
from lading.state.observed import FleetState as FleetState
from lading.state.observed import HostState as HostState
from lading.state.observed import ServiceState as ServiceState
from lading.state.observed import Volume as Volume
from lading.state.observed import is_helper as is_helper
from lading.state.observed import recognised as recognised
from lading.state.records import BRIEF as BRIEF
from lading.state.records import Adopted as Adopted
from lading.state.records import Changed as Changed
from lading.state.records import Current as Current
from lading.state.records import Deployed as Deployed
from lading.state.records import Kept as Kept
from lading.state.records import NewerError as NewerError
from lading.state.records import adopted_as_json as adopted_as_json
from lading.state.records import adopted_from_json as adopted_from_json
from lading.state.records import current_from_json as current_from_json
from lading.state.records import deployed_from_json as deployed_from_json
from lading.state.records import hash_of_current as hash_of_current
from lading.state.records import release_from_json as release_from_json
