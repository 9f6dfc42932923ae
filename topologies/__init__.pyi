from .changes import directions_of as directions_of
from .editing import with_link as with_link
from .loader import (
    SIZE_LIMIT as SIZE_LIMIT,
    load_topology as load_topology,
    ready_made as ready_made,
    topology_from_text as topology_from_text,
)
from .measured import completed as completed
from .network import Network as Network
from .route import Hop as Hop, Route as Route
from .routes import (
    quickest_route as quickest_route,
    transfer_prices as transfer_prices,
    transfer_routes as transfer_routes,
    transfer_seconds as transfer_seconds,
    transfer_sums as transfer_sums,
)
from .schema import Node as Node, Topology as Topology
from .scission import pipeline_text as pipeline_text, read_network as read_network
from .sources import Source as Source, destination_of as destination_of, seen_from as seen_from
from .writing import topology_data as topology_data
